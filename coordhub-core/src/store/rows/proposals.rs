//! Proposals and the votes on them.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{int, json, optional_text, optional_time, seq, text, time, to_json, unsigned, word};
use crate::{
    Timestamp,
    event::{Event, Stamped},
    hub::State,
    ids::{EntityId, ProposalId},
    model::{Choice, Proposal, ProposalStatus, Tally, Threshold, Vote},
};

const UPSERT: &str = "INSERT INTO proposals
    (created_seq, proposal_id, status, proposed_by, threshold, quorum, deadline, requires_human,
     early_close, forced, open_electorate, default_quorum, tally_for, tally_against, tally_abstain,
     tally_eligible, created_at, decided_at, electorate, human_electors, departed, title,
     description)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,
        ?20, ?21, ?22, ?23)
    ON CONFLICT (created_seq) DO UPDATE SET
        status = ?3, proposed_by = ?4, threshold = ?5, quorum = ?6, deadline = ?7,
        requires_human = ?8, early_close = ?9, forced = ?10, open_electorate = ?11,
        default_quorum = ?12, tally_for = ?13, tally_against = ?14, tally_abstain = ?15,
        tally_eligible = ?16, created_at = ?17, decided_at = ?18, electorate = ?19,
        human_electors = ?20, departed = ?21, title = ?22, description = ?23";

/// The columns that [`proposal`] reads.
pub(in crate::store) const COLUMNS: &str = "created_seq, proposal_id, status, proposed_by,
    threshold, quorum, deadline, requires_human, early_close, forced, open_electorate,
    default_quorum, tally_for, tally_against, tally_abstain, tally_eligible, created_at, decided_at,
    electorate, human_electors, departed, title, description";

const UPSERT_VOTE: &str = "INSERT INTO votes (proposal_id, entity_id, vote, at, by_human, comment)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT (proposal_id, entity_id) DO UPDATE SET
        vote = ?3, at = ?4, by_human = ?5, comment = ?6";

/// Writes the proposals that were touched.
pub(in crate::store) fn write(conn: &Connection, state: &State) -> rusqlite::Result<()> {
    for id in &state.touched().proposals {
        if let Some(proposal) = state.proposal(id) {
            write_one(conn, proposal)?;
        }
    }
    Ok(())
}

fn write_one(conn: &Connection, proposal: &Proposal) -> rusqlite::Result<()> {
    conn.prepare_cached(UPSERT)?.execute(params![
        int(proposal.created_seq),
        proposal.proposal_id.as_str(),
        proposal.status.as_str(),
        proposal.proposed_by.as_ref().map(EntityId::as_str),
        proposal.threshold.millionths(),
        int(proposal.quorum),
        proposal.deadline.millis(),
        proposal.requires_human,
        proposal.early_close,
        proposal.forced,
        proposal.open_electorate,
        proposal.default_quorum,
        int(proposal.tally.r#for),
        int(proposal.tally.against),
        int(proposal.tally.abstain),
        int(proposal.tally.eligible),
        proposal.created_at.millis(),
        proposal.decided_at.map(Timestamp::millis),
        to_json(&proposal.electorate)?,
        to_json(&proposal.human_electors)?,
        to_json(&proposal.departed)?,
        proposal.title,
        proposal.description,
    ])?;
    Ok(())
}

/// Writes the votes that were cast. The events name them, so that a vote does not cost a row for
/// every vote before it.
pub(in crate::store) fn write_votes(conn: &Connection, events: &[Stamped]) -> rusqlite::Result<()> {
    for stamped in events {
        let Event::VoteCast(cast) = &stamped.event else { continue };
        conn.prepare_cached(UPSERT_VOTE)?.execute(params![
            cast.proposal_id.as_str(),
            cast.vote.entity_id.as_str(),
            cast.vote.vote.as_str(),
            cast.vote.at.millis(),
            cast.by_human,
            cast.vote.comment,
        ])?;
    }
    Ok(())
}

/// Reads [`COLUMNS`]; the votes are left out.
fn proposal(row: &Row<'_>) -> rusqlite::Result<Proposal> {
    let millionths: u32 = row.get(4)?;
    Ok(Proposal {
        created_seq: seq(row, 0)?,
        proposal_id: ProposalId::trusted(text(row, 1)?),
        status: word(row, 2, ProposalStatus::parse)?,
        proposed_by: optional_text(row, 3)?.map(EntityId::trusted),
        threshold: Threshold::from_millionths(millionths),
        quorum: unsigned(row, 5)?,
        deadline: time(row, 6)?,
        requires_human: row.get(7)?,
        early_close: row.get(8)?,
        forced: row.get(9)?,
        open_electorate: row.get(10)?,
        default_quorum: row.get(11)?,
        tally: Tally {
            r#for: unsigned(row, 12)?,
            against: unsigned(row, 13)?,
            abstain: unsigned(row, 14)?,
            eligible: unsigned(row, 15)?,
        },
        votes: Vec::new(),
        created_at: time(row, 16)?,
        decided_at: optional_time(row, 17)?,
        electorate: json(row, 18)?,
        human_electors: json(row, 19)?,
        departed: json(row, 20)?,
        title: row.get(21)?,
        description: row.get(22)?,
    })
}

/// The votes on a proposal, by entity id: SQLite compares bytes, as Rust does.
fn read_votes(conn: &Connection, id: &ProposalId) -> rusqlite::Result<Vec<Vote>> {
    let mut select = conn.prepare_cached(
        "SELECT entity_id, vote, at, by_human, comment FROM votes
         WHERE proposal_id = ?1 ORDER BY entity_id",
    )?;
    let vote = |row: &Row<'_>| {
        Ok(Vote {
            entity_id: EntityId::trusted(text(row, 0)?),
            vote: word(row, 1, Choice::parse)?,
            at: time(row, 2)?,
            by_human: row.get(3)?,
            comment: row.get(4)?,
        })
    };
    select.query_map([id.as_str()], vote)?.collect()
}

/// One proposal.
pub(in crate::store) fn read(
    conn: &Connection,
    id: &ProposalId,
) -> rusqlite::Result<Option<Proposal>> {
    let sql = format!("SELECT {COLUMNS} FROM proposals WHERE proposal_id = ?1");
    let found = conn.prepare_cached(&sql)?.query_row([id.as_str()], proposal).optional()?;
    let Some(mut proposal) = found else { return Ok(None) };
    proposal.votes = read_votes(conn, id)?;
    Ok(Some(proposal))
}

/// The proposals that a statement over [`COLUMNS`] finds, with their votes.
pub(in crate::store) fn read_where(
    conn: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
) -> rusqlite::Result<Vec<Proposal>> {
    let mut select = conn.prepare_cached(sql)?;
    let mut found: Vec<Proposal> =
        select.query_map(params, proposal)?.collect::<rusqlite::Result<_>>()?;
    for proposal in &mut found {
        proposal.votes = read_votes(conn, &proposal.proposal_id)?;
    }
    Ok(found)
}

/// The proposals on which votes are taken.
pub(in crate::store) fn read_open(conn: &Connection) -> rusqlite::Result<Vec<Proposal>> {
    let sql = format!("SELECT {COLUMNS} FROM proposals WHERE status = 'open'");
    read_where(conn, &sql, [])
}
