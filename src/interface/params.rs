// SPDX-License-Identifier: GPL-2.0

//! The parameters of the module.

use crate::bond::message::Text;
use kernel::error::{Error, Result};
use kernel::{pr_err, pr_info, pr_warn};
use net::moduleparam::{Charp, CharpArray, Int, Uint};
use policy::options::{OptionDesc, Param, ParamKind, RawParams, Severity, OPTIONS};
use policy::{Config, OptionId};

/// `BOND_MAX_ARP_TARGETS`
const MAX_ARP_TARGETS: usize = 16;

// These run at compile time only.

const fn desc(id: OptionId) -> &'static OptionDesc {
    &OPTIONS[id as usize]
}

const fn param(id: OptionId) -> Param {
    match desc(id).param {
        Some(param) => param,
        None => panic!("an option with a parameter"),
    }
}

/// Makes a parameter, or another name for one, from the entry of its option.
macro_rules! param {
    (static $param:ident: $kind:ident, $id:ident) => {
        static $param: param!(@type $kind) = param!(@new $kind, $param, $id);
        param!($param: $kind, $id);
    };
    ($param:ident: $kind:ident, $id:ident) => {
        const _: () = assert!(matches!(param(OptionId::$id).kind, ParamKind::$kind));
        net::module_param!(
            $param: param!(@type $kind),
            desc(OptionId::$id).name,
            param(OptionId::$id).description,
            param(OptionId::$id).mode
        );
    };
    (@type CharpArray) => { CharpArray<MAX_ARP_TARGETS> };
    (@type $kind:ident) => { $kind };
    (@new Int, $param:ident, $id:ident) => { Int::new(desc(OptionId::$id).default as i32) };
    (@new Uint, $param:ident, $id:ident) => { Uint::new(desc(OptionId::$id).default as u32) };
    (@new Charp, $param:ident, $id:ident) => { Charp::new() };
    (@new CharpArray, $param:ident, $id:ident) => { CharpArray::new(&$param) };
}

param!(static MAX_BONDS: Int, MaxBonds);
param!(static TX_QUEUES: Int, TxQueues);
param!(static NUM_PEER_NOTIF: Int, NumGratArp);
param!(NUM_PEER_NOTIF: Int, NumUnsolNa);
param!(static MIIMON: Int, Miimon);
param!(static UPDELAY: Int, Updelay);
param!(static DOWNDELAY: Int, Downdelay);
param!(static USE_CARRIER: Int, UseCarrier);
param!(static MODE: Charp, Mode);
param!(static PRIMARY: Charp, Primary);
param!(static PRIMARY_RESELECT: Charp, PrimaryReselect);
param!(static LACP_RATE: Charp, LacpRate);
param!(static AD_SELECT: Charp, AdSelect);
param!(static MIN_LINKS: Int, MinLinks);
param!(static XMIT_HASH_POLICY: Charp, XmitHashPolicy);
param!(static ARP_INTERVAL: Int, ArpInterval);
param!(static ARP_IP_TARGET: CharpArray, ArpIpTarget);
param!(static ARP_VALIDATE: Charp, ArpValidate);
param!(static ARP_ALL_TARGETS: Charp, ArpAllTargets);
param!(static FAIL_OVER_MAC: Charp, FailOverMac);
param!(static ALL_SLAVES_ACTIVE: Int, AllSlavesActive);
param!(static RESEND_IGMP: Int, ResendIgmp);
param!(static PACKETS_PER_SLAVE: Int, PacketsPerSlave);
param!(static LP_INTERVAL: Uint, LpInterval);
param!(static LINK_EVENTS: Charp, LinkEvents);
param!(static RESILIENT_HASH: Charp, ResilientHash);
param!(static RLB_IPV6: Charp, RlbIpv6);
param!(static ANNOUNCE_STATIONS: Charp, AnnounceStations);

/// Reads the parameters, and says in the log what is wrong with them.
pub(crate) fn read() -> Result<Config> {
    let mut targets: [&[u8]; MAX_ARP_TARGETS] = [&[]; MAX_ARP_TARGETS];
    let mut count = 0usize;
    for (to, from) in targets.iter_mut().zip(ARP_IP_TARGET.get()) {
        *to = from;
        count = count.wrapping_add(1);
    }
    let raw = RawParams {
        max_bonds: MAX_BONDS.get(),
        tx_queues: TX_QUEUES.get(),
        num_peer_notif: NUM_PEER_NOTIF.get(),
        miimon: MIIMON.get(),
        updelay: UPDELAY.get(),
        downdelay: DOWNDELAY.get(),
        use_carrier: USE_CARRIER.get(),
        mode: MODE.get(),
        primary: PRIMARY.get(),
        primary_reselect: PRIMARY_RESELECT.get(),
        lacp_rate: LACP_RATE.get(),
        ad_select: AD_SELECT.get(),
        min_links: MIN_LINKS.get(),
        xmit_hash_policy: XMIT_HASH_POLICY.get(),
        arp_interval: ARP_INTERVAL.get(),
        arp_ip_target: targets.get(..count).unwrap_or_default(),
        arp_validate: ARP_VALIDATE.get(),
        arp_all_targets: ARP_ALL_TARGETS.get(),
        fail_over_mac: FAIL_OVER_MAC.get(),
        all_slaves_active: ALL_SLAVES_ACTIVE.get(),
        resend_igmp: RESEND_IGMP.get(),
        packets_per_slave: PACKETS_PER_SLAVE.get(),
        lp_interval: LP_INTERVAL.get(),
        link_events: LINK_EVENTS.get(),
        resilient_hash: RESILIENT_HASH.get(),
        rlb_ipv6: RLB_IPV6.get(),
        announce_stations: ANNOUNCE_STATIONS.get(),
    };
    Config::from_module_params(&raw, &mut |warning| match warning.severity() {
        Severity::Warning => pr_warn!("{}\n", Text(warning)),
        Severity::Info => pr_info!("{}\n", Text(warning)),
    })
    .map_err(|err| {
        pr_err!("{}\n", Text(err));
        Error::from_errno(0i32.wrapping_sub(err.errno()))
    })
}
