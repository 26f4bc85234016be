//! Tokens and invites: who may make them, what comes of them, and what they are good for.

use super::{
    World, id,
    world::{register, task_id},
};
use crate::{
    JsonText,
    command::{
        Command, CreateTask, Expiry, IssueToken, Join, MakeInvite, Register, Remove, Role,
        RotateToken,
    },
    event::Event,
    hub::policy::{self, Reader},
    ids::{EntityId, InviteId, TokenId},
    model::EntityType,
    secret::SecretHash,
};

/// The hash of a secret of its own for each number.
fn hash(n: u8) -> SecretHash {
    SecretHash::new([n; 32])
}

fn join(name: &str, kind: EntityType, invite: u8, token: u8) -> Command {
    Command::Join(Join {
        register: Register {
            entity_id: id(name),
            entity_type: kind,
            name: None,
            capabilities: Vec::new(),
            metadata: JsonText::empty_object(),
        },
        invite: hash(invite),
        token: hash(token),
    })
}

fn invite(n: u8, change: impl FnOnce(&mut MakeInvite)) -> Command {
    let mut invite = MakeInvite {
        name: "for somebody".to_owned(),
        entity_types: vec![EntityType::AiAgent],
        entity_ids: Vec::new(),
        role: Role::Member,
        uses_max: 1,
        expires: Expiry::In(3_600),
        hash: hash(n),
    };
    change(&mut invite);
    Command::MakeInvite(invite)
}

fn issue(entity: &EntityId, role: Role, token: u8) -> Command {
    let name = "somewhere".to_owned();
    Command::IssueToken(IssueToken { entity_id: entity.clone(), role, name, hash: hash(token) })
}

fn rotate(token_id: TokenId, token: u8) -> Command {
    Command::RotateToken(RotateToken { token_id, hash: hash(token) })
}

impl World {
    fn as_admin(&mut self) -> &mut Self {
        self.role(Role::Admin).shows(None)
    }

    fn as_member(&mut self, token: u8) -> &mut Self {
        self.role(Role::Member).shows(Some(hash(token)))
    }

    fn as_guest(&mut self) -> &mut Self {
        self.role(Role::Member).shows(None)
    }

    fn token(&self, token: u8) -> TokenId {
        let found = self.state.credentials().token_by_hash(&hash(token));
        found.expect("a good token").token_id.clone()
    }

    fn is_good(&self, token: u8) -> bool {
        self.state.credentials().token_by_hash(&hash(token)).is_some()
    }

    fn invite(&self, invite: u8) -> InviteId {
        let found = self.state.credentials().invite_by_hash(&hash(invite));
        found.expect("an invite").invite_id.clone()
    }
}

#[test]
fn an_invite_admits_whom_it_says() {
    let mut world = World::new();
    world.as_admin().must("root", invite(1, |_| {}));
    world.must("root", invite(2, |i| i.entity_ids = vec![id("bo"), id("cy")]));
    world.must("root", invite(3, |i| (i.uses_max, i.entity_types) = (2, EntityType::ALL.to_vec())));
    let joined = ["entity_registered", "token_issued"];
    let ai = EntityType::AiAgent;
    let guest = world.as_guest();
    assert_eq!(guest.code("ada", join("ada", EntityType::Human, 1, 10)), "invite_refused");
    assert_eq!(guest.code("ada", join("ada", ai, 9, 10)), "invite_refused");
    assert_eq!(guest.must("ada", join("ada", ai, 1, 10)), joined);
    assert_eq!(guest.code("eve", join("eve", ai, 1, 11)), "invite_refused");
    assert_eq!(guest.code("eve", join("eve", ai, 2, 11)), "invite_refused");
    assert_eq!(guest.must("cy", join("cy", ai, 2, 12)), joined);
    assert_eq!(guest.must("sam", join("sam", EntityType::Service, 3, 13)), joined);
    assert_eq!(guest.must("ann", join("ann", EntityType::Human, 3, 14)), joined);
    assert_eq!(guest.code("eve", join("eve", ai, 3, 15)), "invite_refused");
    let token = world.state.credentials().token_by_hash(&hash(12)).expect("is good").clone();
    assert_eq!((&token.entity_id, token.role), (&id("cy"), Role::Member));
    assert_eq!(token.invite_id, Some(world.invite(2)));
    assert!(!world.is_good(11) && !world.is_good(15));
}

#[test]
fn an_invite_ends() {
    let mut world = World::new();
    let ai = EntityType::AiAgent;
    world.as_admin().must("root", invite(1, |i| i.uses_max = 9));
    world.must("root", invite(2, |i| (i.uses_max, i.expires) = (9, Expiry::In(7_200))));
    assert_eq!(world.as_guest().code("ada", join("ada", ai, 1, 10)), "ok");
    world.later(3_600);
    assert_eq!(world.code("bo", join("bo", ai, 1, 11)), "invite_refused");
    assert_eq!(world.code("bo", join("bo", ai, 2, 11)), "ok");
    let second = world.invite(2);
    let revoke = || Command::RevokeInvite(second.clone());
    assert_eq!(world.code("bo", revoke()), "not_allowed");
    assert_eq!(world.as_admin().must("root", revoke()), ["invite_revoked"]);
    assert_eq!(world.code("root", revoke()), "unknown_invite");
    assert_eq!(world.as_guest().code("cy", join("cy", ai, 2, 12)), "invite_refused");
    // Who came by it stays.
    assert!(world.is_good(11));
}

#[test]
fn until_its_first_use_a_token_can_be_had_again() {
    let mut world = World::new();
    let ai = EntityType::AiAgent;
    world.as_admin().must("root", invite(1, |_| {}));
    world.must("root", invite(2, |_| {}));
    world.as_guest().must("ada", join("ada", ai, 1, 10));
    let first = world.token(10);
    assert_eq!(world.must("ada", join("ada", ai, 1, 11)), ["token_rotated"]);
    assert!(!world.is_good(10) && world.token(11) == first);
    assert_eq!(world.code("ada", join("ada", EntityType::Service, 1, 12)), "type_is_fixed");
    // Not by another invite, and not once it was used.
    assert_eq!(world.code("ada", join("ada", ai, 2, 12)), "invite_refused");
    world.as_admin().must("root", Command::UseToken(first.clone()));
    assert_eq!(world.must("root", Command::UseToken(first)), [""; 0]);
    assert_eq!(world.as_guest().code("ada", join("ada", ai, 1, 12)), "invite_refused");
    assert!(world.is_good(11));
}

#[test]
fn a_token_that_was_changed_is_its_holders_alone() {
    let mut world = World::new();
    let ai = EntityType::AiAgent;
    world.as_admin().must("root", invite(1, |_| {}));
    world.as_guest().must("ada", join("ada", ai, 1, 10));
    let token = world.token(10);
    world.as_admin().must("root", rotate(token, 11));
    assert_eq!(world.as_guest().code("ada", join("ada", ai, 1, 12)), "invite_refused");
    assert!(!world.is_good(10) && world.is_good(11));
}

#[test]
fn only_admins_make_tokens_and_nobody_makes_itself_one() {
    let mut world = World::new();
    world.register("ada", EntityType::Human);
    let admin = EntityId::admin();
    world.as_admin().must("root", issue(&admin, Role::Admin, 1));
    assert_eq!(world.code("root", issue(&admin, Role::Member, 9)), "invalid_field");
    assert_eq!(world.code("root", issue(&id("nobody"), Role::Member, 9)), "unknown_entity");
    world.must("root", issue(&id("ada"), Role::Member, 2));
    world.must("root", issue(&id("ada"), Role::Admin, 3));
    let (member, strong) = (world.token(2), world.token(3));
    let ada = world.as_member(2);
    assert_eq!(ada.code("ada", issue(&id("ada"), Role::Admin, 9)), "not_allowed");
    assert_eq!(ada.code("ada", invite(9, |_| {})), "not_allowed");
    // Another token of the same entity may have more rights: it is not this one's to change.
    assert_eq!(ada.code("ada", rotate(strong.clone(), 9)), "not_allowed");
    assert_eq!(ada.code("ada", Command::RevokeToken(strong.clone())), "not_allowed");
    assert_eq!(ada.must("ada", rotate(member.clone(), 4)), ["token_rotated"]);
    // The old secret changes nothing from there on, not even itself.
    assert_eq!(ada.code("ada", rotate(member, 9)), "unauthorized");
    assert_eq!(ada.code("ada", Command::CreateTask(CreateTask::titled("t"))), "unauthorized");
    world.as_member(4).must("ada", Command::CreateTask(CreateTask::titled("t")));
    let last = world.token(1);
    assert_eq!(
        world.as_admin().code("root", Command::RevokeToken(last.clone())),
        "last_admin_token"
    );
    world.must("root", issue(&admin, Role::Admin, 5));
    world.must("root", Command::RevokeToken(last.clone()));
    assert_eq!(world.code("root", Command::RevokeToken(last)), "unknown_token");
}

#[test]
fn an_observer_changes_nothing() {
    let mut world = World::with_everyone();
    world.as_admin().must("root", issue(&id("bo"), Role::Observer, 1));
    world.role(Role::Observer).shows(Some(hash(1)));
    for command in [
        Command::CreateTask(CreateTask::titled("t")),
        Command::CancelTask(task_id("no-such-task")),
        register("bo", EntityType::AiAgent),
        rotate(world.token(1), 9),
        Command::RenewLeases,
    ] {
        assert_eq!(world.code("bo", command.clone()), "observer", "{command:?}");
    }
}

#[test]
fn whoever_is_removed_acts_no_more_and_is_not_replaced() {
    let mut world = World::new();
    let ai = EntityType::AiAgent;
    world.as_admin().must("root", invite(1, |i| i.uses_max = 9));
    world.as_guest().must("ada", join("ada", ai, 1, 10));
    world.as_admin().must("root", issue(&id("ada"), Role::Observer, 11));
    let removed = world.must("root", Command::Remove(Remove { entity_id: id("ada") }));
    assert_eq!(removed, ["entity_removed", "token_revoked", "token_revoked"]);
    assert!(!world.is_good(10) && !world.is_good(11));
    assert_eq!(world.as_guest().code("ada", join("ada", ai, 1, 12)), "not_allowed");
    // An admin lets it come back, and gives it a token.
    world.as_admin().must("root", register("ada", EntityType::Human));
    world.must("root", issue(&id("ada"), Role::Member, 13));
    assert!(world.is_good(13) && !world.state.credentials().was_removed(&id("ada")));
}

#[test]
fn nobody_registers_uninvited_in_token_mode() {
    let mut world = World::new();
    assert_eq!(world.as_guest().code("ada", register("ada", EntityType::Human)), "invite_needed");
    world.as_admin().must("root", register("ada", EntityType::Human));
    world.must("root", issue(&id("ada"), Role::Member, 1));
    let ada = world.as_member(1);
    assert_eq!(ada.code("ada", register("bo", EntityType::AiAgent)), "not_allowed");
    assert_eq!(ada.code("ada", register("ada", EntityType::Human)), "ok");
}

#[test]
fn what_is_made_must_make_sense() {
    let mut world = World::new();
    world.as_admin();
    let mut code = |change: fn(&mut MakeInvite)| world.code("root", invite(1, change));
    assert_eq!(code(|i| i.name = " ".to_owned()), "invalid_field");
    assert_eq!(code(|i| i.entity_types.clear()), "invalid_field");
    assert_eq!(code(|i| i.uses_max = 0), "invalid_field");
    assert_eq!(code(|i| i.uses_max = u64::MAX), "invalid_field");
    assert_eq!(code(|i| i.expires = Expiry::In(0)), "invalid_field");
    assert_eq!(code(|i| i.expires = Expiry::In(u64::MAX)), "invalid_field");
    assert_eq!(code(|i| i.expires = Expiry::At(crate::Timestamp::from_millis(0))), "invalid_field");
    assert_eq!(code(|_| {}), "ok");
}

#[test]
fn hashes_and_what_admins_do_show_to_nobody_else() {
    let mut world = World::new();
    world.as_admin();
    let mut events: Vec<Event> = Vec::new();
    let mut ask = |world: &mut World, caller: &str, command| {
        events.extend(world.decide(caller, command).expect("is done").events);
    };
    ask(&mut world, "root", invite(0xab, |_| {}));
    world.as_guest();
    ask(&mut world, "ada", join("ada", EntityType::AiAgent, 0xab, 0xcd));
    ask(&mut world, "ada", join("ada", EntityType::AiAgent, 0xab, 0xef));
    world.as_admin();
    let token = world.token(0xef);
    ask(&mut world, "root", Command::UseToken(token.clone()));
    ask(&mut world, "root", Command::RevokeToken(token));
    let ada = Reader::new(&world.state, Some(id("ada")));
    let admin = ada.clone().in_role(Role::Admin);
    let mut kept = 0;
    for event in &events {
        let (shown, told) = (event.shown_data(), format!("{event:?}"));
        for hidden in ["abababab", "cdcdcdcd", "efefefef", "hash\":"] {
            assert!(!shown.contains(hidden), "{shown}");
            assert!(hidden.starts_with("hash") || !told.contains(hidden), "{told}");
            kept += usize::from(event.data().contains(hidden));
        }
        if !matches!(event, Event::EntityRegistered(_)) {
            assert!(!policy::audience(event).includes(&ada), "{event:?}");
        }
        assert!(policy::audience(event).includes(&admin), "{event:?}");
    }
    assert_eq!((events.len(), kept), (6, 6), "the log on disk has every hash");
}
