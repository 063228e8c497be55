# SPDX-License-Identifier: GPL-2.0
"""The test runner: host suites, guest suites, the report."""
