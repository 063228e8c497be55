// SPDX-License-Identifier: GPL-2.0

//! Which device has which hardware address: `fail_over_mac`, and slaves that cannot change their
//! address.

use core::fmt;

use crate::mode::Addresses;
use crate::options::{Config, FailOverMac};

/// The longest hardware address, `MAX_ADDR_LEN` of `linux/netdevice.h`.
pub const MAX_ADDR_LEN: usize = 32;

/// A hardware address: 6 bytes for Ethernet, 20 for IP over InfiniBand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HwAddr {
    len: u8,
    bytes: [u8; MAX_ADDR_LEN],
}

impl HwAddr {
    /// No address.
    pub const EMPTY: HwAddr = HwAddr {
        len: 0,
        bytes: [0; MAX_ADDR_LEN],
    };

    /// The address, unless it is longer than 32 bytes.
    pub fn new(address: &[u8]) -> Option<HwAddr> {
        let len = u8::try_from(address.len()).ok()?;
        if address.len() > MAX_ADDR_LEN {
            return None;
        }
        let mut bytes = [0; MAX_ADDR_LEN];
        for (to, from) in bytes.iter_mut().zip(address) {
            *to = *from;
        }
        Some(HwAddr { len, bytes })
    }

    /// The bytes of the address.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl fmt::Display for HwAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for byte in self.as_bytes() {
            write!(f, "{separator}{byte:02x}")?;
            separator = ":";
        }
        Ok(())
    }
}

impl fmt::Debug for HwAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether a device can be enslaved at all, as far as its address is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It can.
    Admit,
    /// It can, once `fail_over_mac` is `active`. The driver sets that, since this is the first
    /// slave. The slave keeps its address.
    AdmitAsActive,
    /// It cannot (`EOPNOTSUPP`): the device cannot change its address, which the bond's
    /// `fail_over_mac` requires.
    Refuse,
}

/// Whether a slave can join, given whether it can change its address (InfiniBand devices cannot)
/// and whether it is the first.
pub fn admit(config: &Config, can_set_address: bool, is_first: bool) -> Admission {
    let keeps_address = match config.mode.row().addresses {
        Addresses::ByOption => config.fail_over_mac == FailOverMac::Active,
        // A device that refuses the bond's address is rejected later, when it is given that
        // address.
        Addresses::Shared | Addresses::Own => true,
    };
    if can_set_address || keeps_address {
        Admission::Admit
    } else if is_first {
        Admission::AdmitAsActive
    } else {
        Admission::Refuse
    }
}

/// Whether the bond takes over the address of its first slave: it does if nobody has given the bond
/// an address, so that it has a random one.
pub const fn bond_takes_over(is_first: bool, bond_address_is_random: bool) -> bool {
    is_first && bond_address_is_random
}

/// What becomes of the address of a slave that joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtEnslave {
    /// The slave keeps its address.
    Keep,
    /// The slave gets the bond's address.
    SetTo(HwAddr),
    /// The slave gets a random address, because its own is in use in the bond, or because another
    /// slave gets that address back when it leaves.
    Random,
}

/// What becomes of the address of a slave that joins. `bond` is the address of the bond after
/// [`bond_takes_over`]; `slaves` are the slaves that the bond already has.
pub fn at_enslave<K>(
    config: &Config,
    slave: HwAddr,
    bond: HwAddr,
    slaves: impl Iterator<Item = Holder<K>> + Clone,
) -> AtEnslave {
    let is_first = slaves.clone().next().is_none();
    match config.mode.row().addresses {
        Addresses::Shared | Addresses::Own => AtEnslave::SetTo(bond),
        Addresses::ByOption => match config.fail_over_mac {
            FailOverMac::None => AtEnslave::SetTo(bond),
            FailOverMac::Follow if !is_first && !is_free(slave, bond, slaves) => AtEnslave::Random,
            FailOverMac::Active | FailOverMac::Follow => AtEnslave::Keep,
        },
    }
}

/// What becomes of the address of a slave that joins, and that has the bond's address, once its
/// device is open; where each slave has its own address, that is the one that it had before, unless
/// somebody else has that one. `None` where the slave keeps the bond's address.
///
/// The hardware of a slave that cannot change its address while it is open, which balance-tlb
/// allows, then receives for the bond all the same: it was told so while it was closed.
pub fn once_open<K>(
    config: &Config,
    slave: HwAddr,
    bond: HwAddr,
    slaves: impl Iterator<Item = Holder<K>> + Clone,
) -> Option<AtEnslave> {
    match config.mode.row().addresses {
        Addresses::Shared | Addresses::ByOption => None,
        Addresses::Own => {
            let is_first = slaves.clone().next().is_none();
            Some(if is_first || is_free(slave, bond, slaves) {
                AtEnslave::SetTo(slave)
            } else {
                AtEnslave::Random
            })
        }
    }
}

/// A slave, or a device that has just left the bond, and its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder<K> {
    /// Identifies the device.
    pub key: K,
    /// The address that the device has now.
    pub addr: HwAddr,
    /// The address that the device had before it was enslaved, and gets back when it leaves.
    pub own: HwAddr,
}

/// Whether neither the bond nor a slave has this address, and no slave gets it back when it leaves.
pub fn is_free<K>(addr: HwAddr, bond: HwAddr, mut slaves: impl Iterator<Item = Holder<K>>) -> bool {
    addr != bond && slaves.all(|slave| addr != slave.addr && addr != slave.own)
}

/// Whose address a step changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who<K> {
    /// The bond's address, which becomes the address of this slave.
    Bond(K),
    /// The address of this slave.
    Slave(K),
}

/// What a step is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// The slave that has the address of the bond gives it up.
    GiveUp,
    /// The new active slave takes the address of the bond.
    Take,
    /// The slave that gave up the bond's address gets the address that the new active slave had.
    Swap,
    /// A slave other than the active one gives up the bond's address, which somebody gave it by
    /// hand.
    Part,
    /// The bond takes the address of a slave.
    Follow,
    /// The leaving slave gives up its address to the slave that has the leaving slave's own
    /// address.
    StepAside,
    /// A slave gives up the leaving slave's own address.
    Vacate,
    /// The leaving slave gets its own address back.
    Restore,
    /// The leaving slave gets a random address, because it cannot have its own.
    Renounce,
    /// An earlier step is undone.
    Undo,
}

/// What happens if the device refuses a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum IfRefused {
    /// The next step follows all the same.
    GoOn,
    /// Nothing more happens.
    Stop,
    /// [`Plan::instead`] is carried out, what can be undone is undone, and nothing more happens.
    Undo,
}

/// One change of one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<K> {
    /// Whose address changes.
    pub who: Who<K>,
    /// The address afterwards.
    pub to: HwAddr,
    /// What the step is for.
    pub act: Act,
    /// The address before the step, if the step is undone when the next one is refused.
    undo: Option<HwAddr>,
    if_refused: IfRefused,
}

impl<K: Copy> Step<K> {
    fn new(who: Who<K>, act: Act, to: HwAddr, if_refused: IfRefused) -> Step<K> {
        Step {
            who,
            to,
            act,
            undo: None,
            if_refused,
        }
    }

    fn undone_to(self, before: HwAddr) -> Step<K> {
        Step {
            undo: Some(before),
            ..self
        }
    }

    fn undoing(&self) -> Option<Step<K>> {
        self.undo
            .map(|before| Step::new(self.who, Act::Undo, before, IfRefused::GoOn))
    }
}

/// Changes of addresses, in an order in which no two devices have the same address at any time:
/// some devices refuse that, and others get confused by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan<K> {
    steps: [Option<Step<K>>; 4],
    /// What happens if a step that the rest depends on is refused.
    instead: Option<Step<K>>,
}

impl<K: Copy> Plan<K> {
    const NOTHING: Self = Plan {
        steps: [None; 4],
        instead: None,
    };

    fn of(steps: [Option<Step<K>>; 4]) -> Self {
        Plan {
            steps,
            instead: None,
        }
    }

    fn or_else(self, instead: Step<K>) -> Self {
        Plan {
            instead: Some(instead),
            ..self
        }
    }

    /// Carries out the plan; `set` tries one step, and returns whether the device has accepted it.
    /// Returns whether everything went as planned.
    pub fn carry_out(&self, mut set: impl FnMut(&Step<K>) -> bool) -> bool {
        let mut undo = None;
        let mut as_planned = true;
        for step in self.steps.iter().flatten() {
            if set(step) {
                undo = step.undoing();
                continue;
            }
            as_planned = false;
            match step.if_refused {
                IfRefused::GoOn => {}
                IfRefused::Stop => break,
                IfRefused::Undo => {
                    // First the step that traffic is waiting for.
                    for step in [self.instead, undo].iter().flatten() {
                        set(step);
                    }
                    break;
                }
            }
        }
        as_planned
    }
}

/// What a failover does to the addresses.
///
/// `new` is the new active slave, if any. `slaves` are all slaves; the one that has the bond's
/// address is looked up among them. It is the former active slave, unless somebody has given that
/// slave another address. `leaver` is a slave that leaves and is to get its own address back, even
/// if that is the bond's. `fresh` is an address that is free ([`is_free`]).
pub fn at_failover<K: Copy + Eq>(
    config: &Config,
    new: Option<Holder<K>>,
    bond: HwAddr,
    mut slaves: impl Iterator<Item = Holder<K>>,
    leaver: Option<K>,
    fresh: HwAddr,
) -> Plan<K> {
    let Some(new) = new else {
        return Plan::NOTHING;
    };
    let follow = Step::new(Who::Bond(new.key), Act::Follow, new.addr, IfRefused::GoOn);
    let bond_follows = Plan::of([Some(follow), None, None, None]);
    match follows(config) {
        FailOverMac::None => Plan::NOTHING,
        FailOverMac::Active => bond_follows,
        FailOverMac::Follow => {
            let taker = Who::Slave(new.key);
            let take = Step::new(taker, Act::Take, bond, IfRefused::Undo);
            let old = slaves.find(|slave| slave.key != new.key && slave.addr == bond);
            let Some(old) = old else {
                return Plan::of([Some(take), None, None, None]).or_else(follow);
            };
            if leaver == Some(old.key) && old.own == bond {
                return bond_follows;
            }
            let holder = Who::Slave(old.key);
            if new.addr == bond {
                let part = Step::new(holder, Act::Part, fresh, IfRefused::GoOn);
                return Plan::of([Some(part), Some(take), None, None]);
            }
            // Where the bond keeps its address, a dead device that refuses to give the address up is
            // no reason to leave the bond without it.
            let if_refused = match keeps_address(config) {
                true => IfRefused::GoOn,
                false => IfRefused::Undo,
            };
            let give_up = Step::new(holder, Act::GiveUp, fresh, if_refused);
            let swap = Step::new(holder, Act::Swap, new.addr, IfRefused::GoOn);
            let give_up = Some(give_up.undone_to(bond));
            Plan::of([give_up, Some(take), Some(swap), None]).or_else(follow)
        }
    }
}

/// What follows when the user gives the bond the address `to`, where each slave has its own: the
/// active slave takes it, and a slave that has it gets the address that the active one had. If the
/// active slave refuses, nothing changes.
pub fn at_set<K: Copy + Eq>(
    active: Option<Holder<K>>,
    to: HwAddr,
    mut slaves: impl Iterator<Item = Holder<K>>,
    fresh: HwAddr,
) -> Plan<K> {
    let Some(active) = active.filter(|it| it.addr != to) else {
        return Plan::NOTHING;
    };
    let take = Step::new(Who::Slave(active.key), Act::Take, to, IfRefused::Undo);
    match slaves.find(|slave| slave.addr == to) {
        None => Plan::of([Some(take), None, None, None]),
        Some(holder) => {
            let who = Who::Slave(holder.key);
            let give_up = Step::new(who, Act::GiveUp, fresh, IfRefused::Stop).undone_to(to);
            let swap = Step::new(who, Act::Swap, active.addr, IfRefused::GoOn);
            Plan::of([Some(give_up), Some(take), Some(swap), None])
        }
    }
}

/// The new address for a slave that shares its address with another slave although each has to have
/// its own, which happens if somebody sets the address by hand. `None` if the slave shares its
/// address with no other slave, or if the others are to give way: of the slaves that share an
/// address, `active` keeps it, or else the first of `slaves`.
pub fn apart<K: Copy + Eq>(
    config: &Config,
    slave: Holder<K>,
    active: Option<K>,
    bond: HwAddr,
    slaves: impl Iterator<Item = Holder<K>> + Clone,
    fresh: HwAddr,
) -> Option<HwAddr> {
    if follows(config) != FailOverMac::Follow || active == Some(slave.key) {
        return None;
    }
    let mut before = slaves.clone().take_while(|other| other.key != slave.key);
    let mut others = slaves.clone().filter(|other| other.key != slave.key);
    let gives_way = before.any(|other| other.addr == slave.addr)
        || others
            .clone()
            .any(|other| active == Some(other.key) && other.addr == slave.addr);
    let own_is_free =
        slave.own != bond && others.all(|other| other.addr != slave.own && other.own != slave.own);
    gives_way.then_some(if own_is_free { slave.own } else { fresh })
}

/// What becomes of the bond's address if it is the own address of a slave that leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The bond has borrowed the address, and takes another one where `fail_over_mac` is `follow`.
    Borrowed,
    /// The bond keeps the address: the user has given it to the bond, or the slave's device goes
    /// away.
    Kept,
    /// The bond itself goes away.
    Ends,
}

/// What a slave's release does to the addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtRelease<K> {
    /// The addresses to set; the slave is closed by then.
    pub plan: Plan<K>,
    /// The bond goes on using the address that is the slave's own: warn the user.
    pub conflict: bool,
    /// The bond gets a random address, since it has no slaves left.
    pub randomize_bond: bool,
}

/// What a slave's release does to the addresses. `slaves` are the slaves that stay, `active` is one
/// of them, and `fresh` is an address that is free ([`is_free`]).
pub fn at_release<K: Copy + Eq>(
    config: &Config,
    leaver: Holder<K>,
    active: Option<K>,
    (bond, claim): (HwAddr, Claim),
    slaves: impl Iterator<Item = Holder<K>> + Clone,
    fresh: HwAddr,
) -> AtRelease<K> {
    let is_last = slaves.clone().next().is_none();
    let follow = follows(config);
    let shares = !is_last && leaver.own == bond;
    let who = Who::Slave(leaver.key);
    let restore = Step::new(who, Act::Restore, leaver.own, IfRefused::GoOn);
    let plan = match follow {
        FailOverMac::Active => Plan::NOTHING,
        FailOverMac::Follow if !is_last => {
            let steps = match claim {
                Claim::Kept if shares => [None; 3],
                _ => clear(leaver, active, (bond, claim), slaves, fresh),
            };
            let [first, second, third] = steps;
            let restore = Step {
                if_refused: IfRefused::Undo,
                ..restore
            };
            let renounce = Step::new(who, Act::Renounce, fresh, IfRefused::GoOn);
            Plan::of([first, second, third, Some(restore)]).or_else(renounce)
        }
        _ => Plan::of([Some(restore), None, None, None]),
    };
    AtRelease {
        plan,
        conflict: shares
            && match follow {
                FailOverMac::None => true,
                FailOverMac::Follow => claim == Claim::Kept,
                FailOverMac::Active => false,
            },
        randomize_bond: is_last,
    }
}

/// The steps after which no device has the leaving slave's own address.
fn clear<K: Copy + Eq>(
    leaver: Holder<K>,
    active: Option<K>,
    (bond, claim): (HwAddr, Claim),
    slaves: impl Iterator<Item = Holder<K>> + Clone,
    fresh: HwAddr,
) -> [Option<Step<K>>; 3] {
    let bond_moves = claim == Claim::Borrowed && bond == leaver.own;
    let follow = |slave: Holder<K>, if_refused| {
        let step = Step::new(Who::Bond(slave.key), Act::Follow, slave.addr, if_refused);
        bond_moves.then_some(step)
    };
    let active = slaves.clone().find(|slave| active == Some(slave.key));
    let Some(holder) = slaves.clone().find(|slave| slave.addr == leaver.own) else {
        // Without an active slave, any will do.
        let model = active.or(slaves.clone().next());
        let step = model.and_then(|model| follow(model, IfRefused::Undo));
        return [step, None, None];
    };
    // The holder gets the address that the leaving slave has in place of its own, unless somebody
    // has set both addresses by hand.
    let who = Who::Slave(leaver.key);
    let aside = Step::new(who, Act::StepAside, fresh, IfRefused::Stop);
    let (aside, vacant) = if leaver.addr == leaver.own {
        (None, fresh)
    } else {
        (Some(aside), leaver.addr)
    };
    let moved = Holder {
        addr: vacant,
        ..holder
    };
    // The holder is the active slave, unless the active slave has refused the bond's address. In
    // that case the bond keeps the address that it gets here, even if a later step is refused: its
    // active slave has that address.
    let follow = match active.filter(|slave| slave.key != holder.key) {
        Some(active) => follow(active, IfRefused::Stop),
        None => follow(moved, IfRefused::Stop).map(|step| step.undone_to(bond)),
    };
    let who = Who::Slave(holder.key);
    let vacate = Step::new(who, Act::Vacate, vacant, IfRefused::Undo);
    [aside, follow, Some(vacate)]
}

/// Whether the bond follows when its active slave has been given another address by hand: it does
/// where the two addresses are the same on purpose. Otherwise nothing that is sent to the bond
/// would be received.
pub fn slave_changed(config: &Config, active: HwAddr, bond: HwAddr) -> bool {
    follows(config) != FailOverMac::None && active != bond
}

/// Whether setting the address of the bond also sets the addresses of its slaves. It does not where
/// they differ on purpose: then the request is accepted without effect, as in the in-tree driver.
pub fn sets_slaves(config: &Config) -> bool {
    follows(config) == FailOverMac::None
}

/// Whether a failover sets the addresses of slaves.
pub fn moves_slaves(config: &Config) -> bool {
    follows(config) == FailOverMac::Follow
}

/// Whether the bond keeps its address even if that is the own address of a slave that leaves: the
/// neighbours of a bond whose slaves have addresses of their own know the bond by that one.
pub const fn keeps_address(config: &Config) -> bool {
    config.mode.has_own_addresses()
}

/// The policy in force. Where each slave has its own address, the active one has the bond's.
fn follows(config: &Config) -> FailOverMac {
    match config.mode.row().addresses {
        Addresses::ByOption => config.fail_over_mac,
        Addresses::Own => FailOverMac::Follow,
        Addresses::Shared => FailOverMac::None,
    }
}
