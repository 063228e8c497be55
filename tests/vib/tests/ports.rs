// SPDX-License-Identifier: GPL-2.0

//! Ports of the switch: LIDs, links, partitions, and who is told.

use fabric::{Destination, Event, Lid, Refused, Subnet};

use crate::world::{config, list};

#[test]
fn a_port_is_reachable_while_its_link_is_there() {
    let mut subnet = Box::new(Subnet::new());
    let port = subnet.add_port(&config(1)).unwrap();
    let lid = subnet.port(port).unwrap().lid();
    assert_eq!(lid, Lid(2));
    assert_eq!(subnet.route(lid), None);
    assert_eq!(
        list(subnet.set_link(port, true).unwrap()),
        [(port, Event::PortActive)]
    );
    assert_eq!(subnet.route(lid), Some(Destination::Port(port)));
    assert_eq!(subnet.route(Lid(1)), Some(Destination::Switch));
    assert_eq!(subnet.route(Lid(3)), None);
    assert!(subnet.set_link(port, true).unwrap().is_empty());
    assert_eq!(
        list(subnet.set_link(port, false).unwrap()),
        [(port, Event::PortError)]
    );
    assert_eq!(subnet.route(lid), None);
}

#[test]
fn a_port_that_comes_back_has_its_lid_again() {
    let mut subnet = Box::new(Subnet::new());
    let first = subnet.add_port(&config(1)).unwrap();
    let second = subnet.add_port(&config(2)).unwrap();
    let lid = subnet.port(first).unwrap().lid();
    subnet.remove_port(first);
    assert!(subnet.port(first).is_none());
    let third = subnet.add_port(&config(3)).unwrap();
    assert_ne!(subnet.port(third).unwrap().lid(), lid);
    assert_eq!(subnet.add_port(&config(2)), Err(Refused::GuidInUse));
    assert_eq!(subnet.add_port(&config(1)), Ok(first));
    assert_eq!(subnet.port(first).unwrap().lid(), lid);
    assert_ne!(first, second);
}
