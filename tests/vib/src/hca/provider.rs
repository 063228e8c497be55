// SPDX-License-Identifier: GPL-2.0

//! What the RDMA core asks of an adapter.

use super::table::{MAX_ATTACHED, MAX_MRS, MAX_QPS};
use super::{connection, datagram, Hca, Qp};
use crate::switch::SUBNET;
use fabric::{CAPABILITIES, MAX_PKEYS};
use kernel::prelude::*;
use kernel::sync::{Arc, ArcBorrow};
use rdma::mr::Mr;
use rdma::provider::{Limits, Mad, PortAttributes, Provider};
use rdma::qp;
use rdma::work_request::{RecvWr, SendWr};

impl Provider for Hca {
    type Qp = Qp;

    const LIMITS: Limits = Limits {
        pkeys: MAX_PKEYS as u16,
        qps: MAX_QPS as u32,
        mrs: MAX_MRS as u32,
        mr_pages: 1024,
        groups: MAX_ATTACHED as u32,
    };

    fn query_port(&self, port: u32) -> Result<PortAttributes> {
        let id = self.port(port).ok_or(EINVAL)?;
        let subnet = SUBNET.lock();
        let port = subnet.port(id).ok_or(ENODEV)?;
        Ok(PortAttributes {
            active: port.is_up(),
            lid: port.lid().0,
            sm_lid: subnet.sm_lid().0,
            capabilities: CAPABILITIES,
            subnet_prefix: subnet.prefix(),
        })
    }

    fn query_gid(&self, port: u32, index: usize) -> Result<[u8; 16]> {
        let id = self.port(port).ok_or(EINVAL)?;
        if index != 0 {
            return Err(EINVAL);
        }
        SUBNET.lock().gid(id).map(|gid| gid.0).ok_or(ENODEV)
    }

    fn query_pkey(&self, port: u32, index: usize) -> Result<u16> {
        let id = self.port(port).ok_or(EINVAL)?;
        let subnet = SUBNET.lock();
        let port = subnet.port(id).ok_or(ENODEV)?;
        let pkey = port.config().pkeys.get(index).ok_or(EINVAL)?;
        Ok(pkey.0)
    }

    fn create_qp(adapter: ArcBorrow<'_, Self>, init: qp::Init) -> Result<(Arc<Qp>, u32)> {
        let hca = Arc::from(adapter);
        let number = hca.qps.lock().number(init.kind)?;
        let qp = Qp::new(hca.clone(), number, init)?;
        hca.qps.lock().insert(&qp)?;
        Ok((qp, number))
    }

    fn modify_qp(qp: ArcBorrow<'_, Qp>, change: &qp::Modify<'_>) -> Result {
        qp.modify(change)
    }

    fn query_qp(qp: ArcBorrow<'_, Qp>) -> (qp::State, qp::Capacity) {
        (qp.inner.lock().state, qp.capacity)
    }

    fn destroy_qp(qp: Arc<Qp>) {
        let known = qp.hca.qps.lock().remove(&qp);
        drop(known);
        qp.close();
    }

    fn post_send(qp: ArcBorrow<'_, Qp>, wr: SendWr<'_>) -> Result {
        match qp.kind {
            qp::Kind::Connected => connection::post(&qp.into(), wr),
            _ => datagram::post(&qp.into(), wr),
        }
    }

    fn post_recv(qp: ArcBorrow<'_, Qp>, wr: RecvWr<'_>) -> Result {
        let waiting = qp.post_recv(wr)?;
        if let Some(sender) = waiting {
            connection::resume(&sender);
        }
        Ok(())
    }

    fn attach_multicast(qp: ArcBorrow<'_, Qp>, gid: [u8; 16]) -> Result {
        let qp: Arc<Qp> = qp.into();
        let hca = qp.hca.clone();
        let result = hca.groups.lock().attach(gid, qp);
        result
    }

    fn detach_multicast(qp: ArcBorrow<'_, Qp>, gid: [u8; 16]) -> Result {
        let qp: Arc<Qp> = qp.into();
        let attached = qp.hca.groups.lock().detach(gid, &qp);
        attached.map(drop).ok_or(EINVAL)
    }

    fn insert_mr(&self, mr: Arc<Mr>) -> Result<u32> {
        self.regions.lock().insert(mr)
    }

    fn remove_mr(&self, key: u32) {
        let region = self.regions.lock().remove(key);
        drop(region);
    }

    fn process_mad(&self, port: u32, request: &Mad) -> Option<Mad> {
        let id = self.port(port)?;
        SUBNET.lock().agent(id, request)
    }
}
