// SPDX-License-Identifier: GPL-2.0

//! `ip link add|set|show ... type bond` and `... type bond_slave`.

use crate::bond::configure::{self, Refused};
use crate::bond::lacp;
use crate::bond::message::bond_err;
use crate::bond::options;
use crate::bond::{Bond, BondDev, SlaveDev};
use core::fmt::Write;
use kernel::error::{code::*, Error, Result};
use net::errno::eaddrnotavail;
use net::master::device::Slot;
use net::master::rtnetlink::LinkOps;
use net::netlink::{
    total_size, Attr, Attrs, ExtAck, Message, Nest, NumberType, PayloadType, Policy, Range,
};
use net::rcu::{self, Rcu};
use net::rtnl::{Rtnl, RtnlOnly};
use policy::lacp::Aggregator;
use policy::options::{Excerpt, Netlink, NetlinkKind, Reason, Request, Scope, Show, Values};
use policy::options::{MAX_TARGETS, OPTIONS};
use policy::{IfName, OptionError, OptionId, Value};

/// The options of a bond, in the order in which a request sets them and a message lists them: the
/// mode comes first, since it decides what else may be set, and `miimon` comes before the delays,
/// which are multiples of it.
const ORDER: [OptionId; 33] = complete(
    Scope::Bond,
    [
        OptionId::Mode,
        OptionId::ActiveSlave,
        OptionId::Miimon,
        OptionId::Updelay,
        OptionId::Downdelay,
        OptionId::PeerNotifDelay,
        OptionId::UseCarrier,
        OptionId::ArpInterval,
        OptionId::ArpIpTarget,
        OptionId::NsIp6Target,
        OptionId::ArpValidate,
        OptionId::ArpAllTargets,
        OptionId::Primary,
        OptionId::PrimaryReselect,
        OptionId::FailOverMac,
        OptionId::XmitHashPolicy,
        OptionId::ResendIgmp,
        OptionId::NumUnsolNa,
        OptionId::AllSlavesActive,
        OptionId::MinLinks,
        OptionId::LpInterval,
        OptionId::PacketsPerSlave,
        OptionId::LacpActive,
        OptionId::LacpRate,
        OptionId::AdSelect,
        OptionId::AdActorSysPrio,
        OptionId::AdUserPortKey,
        OptionId::AdActorSystem,
        OptionId::TlbDynamicLb,
        OptionId::ArpMissedMax,
        OptionId::CoupledControl,
        OptionId::BroadcastNeighbor,
        OptionId::LacpStrict,
    ],
);

/// The options of a slave, in the order in which a request sets them and a message lists them.
const SLAVE_ORDER: [OptionId; 3] = complete(
    Scope::Slave,
    [OptionId::QueueId, OptionId::Prio, OptionId::ActorPortPrio],
);

// These run at compile time only.

/// Checks that `order` has every option of a scope that has an attribute, exactly once.
const fn complete<const N: usize>(scope: Scope, order: [OptionId; N]) -> [OptionId; N] {
    let (mut seen, mut place) = (0u64, 0);
    while place < order.len() {
        seen ^= 1 << order[place] as u32;
        place += 1;
    }
    let (mut wanted, mut place) = (0u64, 0);
    while place < OPTIONS.len() {
        if OPTIONS[place].netlink.is_some() && OPTIONS[place].scope as u8 == scope as u8 {
            wanted |= 1 << place;
        }
        place += 1;
    }
    assert!(seen == wanted);
    order
}

/// One more than the largest attribute of a scope.
const fn attrs(scope: Scope) -> usize {
    let (mut attrs, mut place) = (0, 0);
    while place < OPTIONS.len() {
        if let (Some(Netlink { attribute, .. }), true) = (
            OPTIONS[place].netlink,
            OPTIONS[place].scope as u8 == scope as u8,
        ) {
            if attrs <= attribute as usize {
                attrs = attribute as usize + 1;
            }
        }
        place += 1;
    }
    attrs
}

const fn policy<const N: usize>(scope: Scope) -> Policy<N> {
    let (mut policy, mut place) = (Policy::new(), 0);
    while place < OPTIONS.len() {
        let desc = &OPTIONS[place];
        if let (Some(netlink), true) = (desc.netlink, desc.scope as u8 == scope as u8) {
            let payload = match netlink.kind {
                NetlinkKind::U8 => PayloadType::U8,
                NetlinkKind::U16 => PayloadType::U16,
                NetlinkKind::U32 if matches!(desc.id, OptionId::PeerNotifDelay) => {
                    PayloadType::U32UpTo(&PEER_NOTIF_DELAY)
                }
                NetlinkKind::U32 | NetlinkKind::Ifindex => PayloadType::U32,
                NetlinkKind::S32 => PayloadType::S32,
                NetlinkKind::Nested => PayloadType::Nested,
                NetlinkKind::EthAddr => PayloadType::BinaryUpTo(ETH_ALEN as u16),
            };
            policy = policy.with(netlink.attribute, payload);
        }
        place += 1;
    }
    policy
}

/// The only range that the in-tree driver leaves to the netlink policy, which returns `ERANGE`.
static PEER_NOTIF_DELAY: Range =
    Range::up_to(match OPTIONS[OptionId::PeerNotifDelay as usize].values {
        Values::Range { max, .. } => max,
        _ => panic!("a range"),
    });

const ETH_ALEN: usize = 6;

/// The lengths of addresses, in bytes.
const IPV4_LEN: usize = 4;
const IPV6_LEN: usize = 16;

/// `IFLA_BOND_AD_INFO`, which is in the policy although it cannot be set.
const AD_INFO: u16 = 23;

/// The lengths of what is in it (`IFLA_BOND_AD_INFO_*`, from 1 on), in bytes.
const AD_INFO_LENS: [usize; 5] = [2, 2, 2, 2, ETH_ALEN];

// The `IFLA_BOND_SLAVE_*` attributes that are reported for a slave and cannot be set.
const SLAVE_STATE: u16 = 1;
const SLAVE_MII_STATUS: u16 = 2;
const SLAVE_LINK_FAILURE_COUNT: u16 = 3;
const SLAVE_PERM_HWADDR: u16 = 4;
const SLAVE_AD_AGGREGATOR_ID: u16 = 6;
const SLAVE_AD_ACTOR_OPER_PORT_STATE: u16 = 7;
const SLAVE_AD_PARTNER_OPER_PORT_STATE: u16 = 8;
const SLAVE_AD_CHURN_ACTOR_STATE: u16 = 11;
const SLAVE_AD_CHURN_PARTNER_STATE: u16 = 12;

/// `LINK_XSTATS_TYPE_BOND`
const XSTATS_BOND: u16 = 2;

/// `BOND_XSTATS_3AD`
const XSTATS_3AD: u16 = 1;

/// The number of counters in it (`BOND_3AD_STAT_*`, from 0 on).
const STATS_3AD: usize = 9;

/// `MAX_ADDR_LEN`
const MAX_ADDR_LEN: usize = net::netdevice::MAX_ADDR_LEN;

pub(super) const ATTRS: usize = attrs(Scope::Bond);
pub(super) const SLAVE_ATTRS: usize = attrs(Scope::Slave);
pub(super) static POLICY: Policy<ATTRS> =
    policy::<ATTRS>(Scope::Bond).with(AD_INFO, PayloadType::Nested);
pub(super) static SLAVE_POLICY: Policy<SLAVE_ATTRS> = policy(Scope::Slave);

/// The link operations.
pub(super) struct Link;

impl LinkOps<Bond> for Link {
    const ATTRS: usize = ATTRS;
    const LOWER_ATTRS: usize = SLAVE_ATTRS;
    const XSTATS: u16 = XSTATS_BOND;

    fn queues() -> u32 {
        u32::from(options::defaults().tx_queues)
    }

    fn validate(address: Option<Attr<'_>>, _extack: Option<&ExtAck>) -> Result {
        let Some(address) = address else {
            return Ok(());
        };
        let address: &[u8; ETH_ALEN] = address.payload().try_into().map_err(|_| EINVAL)?;
        let is_multicast = address.first().is_some_and(|byte| byte & 1 != 0);
        if is_multicast || *address == [0; ETH_ALEN] {
            return Err(eaddrnotavail());
        }
        Ok(())
    }

    fn change(
        bond: &BondDev,
        attrs: &Attrs<'_>,
        extack: Option<&ExtAck>,
        rtnl: &RtnlOnly,
    ) -> Result {
        // First the whole request is checked, each option as if those before it were set, so that a
        // bad value changes nothing.
        let state = configure::state(bond, rtnl);
        let mut request = Request::new(bond.data().options.copy(), state);
        for (id, attr) in given(&ORDER, attrs) {
            let checked = read(bond, id, attr, rtnl)?.and_then(|value| request.apply(id, value));
            if let Err(err) = checked {
                bond_err!(bond, "{err}");
                return Err(answer(extack, attr, err.into()));
            }
        }
        for (id, attr) in given(&ORDER, attrs) {
            let value = read(bond, id, attr, rtnl)?;
            value
                .map_err(Refused::from)
                .and_then(|value| configure::set(bond, id, value, rtnl))
                .map_err(|refused| answer(extack, attr, refused))?;
        }
        Ok(())
    }

    fn size() -> usize {
        let lens = AD_INFO_LENS.into_iter().map(total_size);
        let ad_info = lens.fold(0, |sum: usize, len| sum.saturating_add(len));
        room(&ORDER).saturating_add(total_size(ad_info))
    }

    fn fill(bond: &BondDev, message: &mut Message<'_>, rcu: &Rcu) -> Result {
        let config = bond.data().options.copy();
        for (id, netlink) in ORDER.into_iter().filter_map(with_attribute) {
            let slot = match id {
                OptionId::ActiveSlave if config.mode.uses_primary() => Some(Slot::Active),
                OptionId::Primary => Some(Slot::Primary),
                _ if is_for_admins(id) && !(config.mode.runs_lacp() && bond.net().is_admin()) => {
                    continue
                }
                OptionId::AdActorSystem => {
                    message.put(netlink.attribute, &config.ad_actor_system)?;
                    None
                }
                _ => None,
            };
            if let Some(slave) = slot.and_then(|slot| bond.slot_rcu(rcu, slot)) {
                message.put_u32(netlink.attribute, slave.dev().ifindex().unsigned_abs())?;
            }
            if let Some(number) = config.number(id) {
                put(message, netlink, number)?;
            }
            let (arp, ns) = (&config.arp_targets, &config.ns_targets);
            match id {
                OptionId::ArpIpTarget if !arp.is_empty() => {
                    let addrs = list(arp.iter().map(|addr| addr.octets()))?;
                    message.put_nest(netlink.attribute, false, &addrs)?;
                }
                OptionId::NsIp6Target if !ns.is_empty() => {
                    let addrs = list(ns.iter().map(|addr| addr.octets()))?;
                    message.put_nest(netlink.attribute, true, &addrs)?;
                }
                _ => {}
            }
        }
        match lacp::system(bond, rcu).and_then(|system| system.active) {
            Some(active) => message.put_nest(AD_INFO, false, &ad_info(&active)?),
            None => Ok(()),
        }
    }

    fn change_lower(
        slave: &SlaveDev,
        attrs: &Attrs<'_>,
        extack: Option<&ExtAck>,
        rtnl: &RtnlOnly,
    ) -> Result {
        let number = |id: OptionId, attr: Attr<'_>| match id.desc().netlink.map(|it| it.kind) {
            Some(NetlinkKind::S32) => i64::from(attr.number(NumberType::U32) as i32),
            _ => i64::from(attr.number(NumberType::U16)),
        };
        // An option that may not be set now is set first, which has no effect but the error
        // message.
        let refused = given(&SLAVE_ORDER, attrs).find(|(id, attr)| {
            configure::changes_slave(slave, *id, number(*id, *attr), rtnl).is_err()
        });
        for (id, attr) in refused.into_iter().chain(given(&SLAVE_ORDER, attrs)) {
            configure::set_slave(slave, id, number(id, attr), rtnl)
                .map_err(|refused| answer(extack, attr, refused))?;
        }
        Ok(())
    }

    fn lower_size() -> usize {
        // Besides the options: the state, the link, the failures, the address; and of LACP: the
        // aggregator, the states of the ports, churn.
        [1, 1, 4, MAX_ADDR_LEN, 2, 1, 2, 1, 1]
            .into_iter()
            .fold(room(&SLAVE_ORDER), |sum, len| {
                sum.saturating_add(total_size(len))
            })
    }

    fn fill_lower(slave: &SlaveDev, message: &mut Message<'_>, rcu: &Rcu) -> Result {
        let port = slave.data().copy_port();
        message.put_u8(SLAVE_STATE, slave.is_backup().into())?;
        message.put_u8(SLAVE_MII_STATUS, port.link.state() as u8)?;
        message.put_u32(SLAVE_LINK_FAILURE_COUNT, port.failures)?;
        message.put(SLAVE_PERM_HWADDR, slave.data().perm_addr().as_bytes())?;
        for (id, netlink) in SLAVE_ORDER.into_iter().filter_map(with_attribute) {
            match id {
                OptionId::QueueId => message.put_u16(netlink.attribute, slave.data().queue_id())?,
                OptionId::Prio => message.put_u32(netlink.attribute, port.prio as u32)?,
                OptionId::ActorPortPrio if lacp::runs(slave.master()) => {
                    message.put_u16(netlink.attribute, slave.data().actor_port_prio())?;
                }
                _ => {}
            }
        }
        if let Some(view) = lacp::port(slave, rcu) {
            let (actor, partner) = (view.actor.state.bits(), view.port.partner.state.bits());
            if view.port.aggregator != 0 {
                message.put_u16(SLAVE_AD_AGGREGATOR_ID, view.port.aggregator)?;
            }
            message.put_u8(SLAVE_AD_ACTOR_OPER_PORT_STATE, actor)?;
            message.put_u16(SLAVE_AD_PARTNER_OPER_PORT_STATE, partner.into())?;
            message.put_u8(SLAVE_AD_CHURN_ACTOR_STATE, view.port.actor_churn.number())?;
            message.put_u8(
                SLAVE_AD_CHURN_PARTNER_STATE,
                view.port.partner_churn.number(),
            )?;
        }
        Ok(())
    }

    fn xstats_size() -> usize {
        total_size(total_size(size_of::<u64>()).saturating_mul(STATS_3AD))
    }

    fn xstats(bond: &BondDev, slave: Option<&SlaveDev>) -> Result<Nest> {
        let mut nest = Nest::new();
        if let Some(counters) = lacp::counters(bond, slave, &rcu::read_lock()) {
            let mut stats = Nest::new();
            for (attr, number) in (0u16..).zip(counters.in_order()) {
                stats.put(attr, &number.to_ne_bytes())?;
            }
            nest.put(XSTATS_3AD, stats.as_bytes())?;
        }
        Ok(nest)
    }
}

/// What `IFLA_BOND_AD_INFO` holds.
fn ad_info(active: &Aggregator) -> Result<Nest> {
    let mut nest = Nest::new();
    let ports = u16::try_from(active.ports).unwrap_or(u16::MAX);
    for (attr, number) in (1u16..).zip([active.id, ports, active.key, active.partner_key]) {
        nest.put(attr, &number.to_ne_bytes())?;
    }
    nest.put(AD_INFO_LENS.len() as u16, &active.partner.addr)?;
    Ok(nest)
}

/// Whether an option is shown in 802.3ad mode only, and to those who may change it.
fn is_for_admins(id: OptionId) -> bool {
    id.desc()
        .sysfs
        .is_some_and(|sysfs| sysfs.show == Show::AdOnly)
}

/// A list of addresses, numbered from 0 on.
fn list<const LEN: usize>(addrs: impl Iterator<Item = [u8; LEN]>) -> Result<Nest> {
    let mut nest = Nest::new();
    for (number, addr) in (0u16..).zip(addrs) {
        nest.put(number, &addr)?;
    }
    Ok(nest)
}

fn with_attribute(id: OptionId) -> Option<(OptionId, Netlink)> {
    Some((id, id.desc().netlink?))
}

/// The options of `order` that a request has.
fn given<'a>(
    order: &'static [OptionId],
    attrs: &'a Attrs<'a>,
) -> impl Iterator<Item = (OptionId, Attr<'a>)> {
    order
        .iter()
        .filter_map(|id| with_attribute(*id))
        .filter_map(|(id, netlink)| Some((id, attrs.get(netlink.attribute)?)))
}

/// Reads the value that an attribute gives to an option. The outer error is for an attribute that
/// holds no value at all.
fn read(
    bond: &BondDev,
    id: OptionId,
    attr: Attr<'_>,
    rtnl: &Rtnl,
) -> Result<core::result::Result<Value, OptionError>> {
    let kind = id
        .desc()
        .netlink
        .map(|netlink| netlink.kind)
        .ok_or(EINVAL)?;
    let number = match kind {
        NetlinkKind::U8 => attr.number(NumberType::U8),
        NetlinkKind::U16 => attr.number(NumberType::U16),
        NetlinkKind::U32 | NetlinkKind::S32 => attr.number(NumberType::U32),
        NetlinkKind::Ifindex => return Ok(interface(bond, id, attr, rtnl)),
        NetlinkKind::Nested if id == OptionId::ArpIpTarget => {
            return Ok(Value::arp_targets(attr.nested()))
        }
        NetlinkKind::Nested => return Ok(Value::ns_targets(attr.nested())),
        NetlinkKind::EthAddr => {
            let address = attr.payload().try_into().map_err(|_| EINVAL)?;
            return Ok(Ok(Value::Address(address)));
        }
    };
    Ok(Ok(Value::Number(number.into())))
}

/// Reads the index of an interface. Zero means no interface; for `primary`, so does the index of an
/// interface that does not exist.
fn interface(
    bond: &BondDev,
    id: OptionId,
    attr: Attr<'_>,
    rtnl: &Rtnl,
) -> core::result::Result<Value, OptionError> {
    let number = attr.number(NumberType::U32);
    let slave_dev = i32::try_from(number)
        .ok()
        .filter(|index| *index != 0)
        .and_then(|index| bond.net().device_by_index(rtnl, index));
    match slave_dev {
        Some(slave_dev) => Ok(Value::Name(IfName::new(slave_dev.name().as_bytes()))),
        None if number == 0 || id == OptionId::Primary => Ok(Value::Name(None)),
        None => {
            let mut index = Excerpt::new(b"");
            let _ = write!(index, "{number}");
            Err(OptionError {
                option: id,
                reason: Reason::NoInterface(index),
            })
        }
    }
}

/// Tells the user why an attribute was refused.
fn answer(extack: Option<&ExtAck>, attr: Attr<'_>, refused: Refused) -> Error {
    if let (Some(extack), Some(message)) = (extack, refused.extack()) {
        extack.set_msg_attr(message, attr);
    }
    refused.error()
}

fn put(message: &mut Message<'_>, netlink: Netlink, number: u64) -> Result {
    match netlink.kind {
        NetlinkKind::U8 => message.put_u8(netlink.attribute, number as u8),
        NetlinkKind::U16 => message.put_u16(netlink.attribute, number as u16),
        // No option takes more than 31 bits.
        _ => message.put_u32(netlink.attribute, number as u32),
    }
}

/// The most room that the attributes of these options take, in bytes.
fn room(order: &[OptionId]) -> usize {
    let sizes = order.iter().filter_map(|id| {
        Some(match id.desc().netlink?.kind {
            NetlinkKind::U8 => 1,
            NetlinkKind::U16 => 2,
            NetlinkKind::U32 | NetlinkKind::S32 | NetlinkKind::Ifindex => 4,
            NetlinkKind::Nested if *id == OptionId::ArpIpTarget => {
                total_size(IPV4_LEN).saturating_mul(MAX_TARGETS)
            }
            NetlinkKind::Nested => total_size(IPV6_LEN).saturating_mul(MAX_TARGETS),
            NetlinkKind::EthAddr => ETH_ALEN,
        })
    });
    sizes.fold(0, |sum: usize, size| sum.saturating_add(total_size(size)))
}
