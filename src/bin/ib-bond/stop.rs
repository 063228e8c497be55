// SPDX-License-Identifier: GPL-2.0

//! Removing bonds, and the child interfaces that were made for them.

use crate::error::{words, Error, Result};
use crate::netlink::Device;
use crate::steps::Host;

/// Deletes a bond, which releases its slaves, and deletes the child interfaces that ib-bond made for it.
pub(crate) fn stop(host: &mut Host, name: &str) -> Result<()> {
    let unknown = |refusal| Error::failed(format!("{name} cannot be looked up: {refusal}"));
    let Some(bond) = host.netlink.device(name).map_err(unknown)? else {
        return Err(Error::failed(format!(
            "there is no bond {name}; \"ib-bond --status-all\" shows those that there are"
        )));
    };
    if bond.bond.is_none() {
        return Err(Error::failed(format!(
            "{name} is no bond, so it is left alone; name a bond with --bond-name"
        )));
    }
    delete(host, &bond)
}

/// Deletes all bonds. Goes on if one of them cannot be deleted. Returns the names of those that were.
pub(crate) fn stop_all(host: &mut Host) -> Result<Vec<String>> {
    let unknown =
        |refusal| Error::failed(format!("the network devices cannot be listed: {refusal}"));
    let devices = host.netlink.devices().map_err(unknown)?;
    let mut stopped = Vec::new();
    let mut failed = Vec::new();
    // A bond that is the slave of another one goes after that.
    let mut bonds: Vec<&Device> = devices
        .iter()
        .filter(|device| device.bond.is_some())
        .collect();
    bonds.sort_by_key(|bond| bond.master.is_some());
    for bond in bonds {
        match delete(host, bond) {
            Ok(()) => stopped.push(bond.name.clone()),
            Err(error) => failed.push(error.sentence),
        }
    }
    match failed.is_empty() {
        true => Ok(stopped),
        false => Err(Error::failed(failed.join("; "))),
    }
}

fn delete(host: &mut Host, bond: &Device) -> Result<()> {
    let name = &bond.name;
    let record = host.state.record_of(bond);
    // One request: either the slaves are released and the bond is gone, or nothing has changed.
    host.netlink.delete(name).map_err(|refusal| {
        Error::failed(format!(
            "{name} cannot be deleted: {refusal}; nothing has changed"
        ))
    })?;
    let mut failed = Vec::new();
    for child in record.map(|record| record.children).unwrap_or_default() {
        // Somebody may have deleted or renamed it meanwhile.
        let Ok(Some(device)) = host.netlink.device(&child) else {
            continue;
        };
        if device.ipoib.is_none() || device.master.is_some() {
            continue;
        }
        if let Err(refusal) = host.netlink.delete(&child) {
            failed.push(format!("its interface {child} cannot be: {refusal}; delete it with \"ip link delete {child}\""));
        }
    }
    if let Err(error) = host.state.remove(name) {
        failed.push(format!(
            "the record of it in /run/ib-bond cannot be: {}",
            words(&error)
        ));
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(Error::failed(format!(
            "{name} is deleted, but {}",
            failed.join("; ")
        ))),
    }
}
