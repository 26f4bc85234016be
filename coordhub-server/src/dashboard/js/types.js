/**
 * The hub's objects as the page uses them; `docs/http-api.md` and `docs/events.md` say what they mean.
 *
 * @typedef {"claude_session" | "ai_agent" | "human" | "service"} EntityType
 *
 * What is soft of an entity: events do not carry it.
 *
 * @typedef {object} Presence
 * @property {string} entity_id
 * @property {"online" | "idle" | "offline"} status
 * @property {string | null} activity
 * @property {string} last_seen
 *
 * @typedef {object} Entity
 * @property {string} entity_id
 * @property {EntityType} entity_type
 * @property {string} name
 * @property {string[]} capabilities
 * @property {Record<string, unknown>} metadata
 * @property {"online" | "idle" | "offline"} [status]  Soft, as the two after it.
 * @property {string | null} [activity]
 * @property {string} [last_seen]
 * @property {string} registered_at
 *
 * @typedef {object} Message
 * @property {string} message_id
 * @property {number} seq
 * @property {string} from_entity
 * @property {string | null} to_entity
 * @property {string | null} channel
 * @property {string} content
 * @property {string} message_type
 * @property {Record<string, unknown>} metadata
 * @property {string | null} reply_to
 * @property {boolean} ack_required
 * @property {string} timestamp
 *
 * What one recipient has done with a message.
 *
 * @typedef {object} Receipt
 * @property {string} entity_id
 * @property {boolean} [read]  Events do not say it.
 * @property {string | null} acked_at
 *
 * @typedef {object} Receipts
 * @property {string} message_id
 * @property {string | null} ack_deadline
 * @property {string | null} resolved_at
 * @property {string | null} resolved_by
 * @property {Receipt[]} recipients
 *
 * @typedef {object} Channel
 * @property {string} channel
 * @property {boolean} built_in
 * @property {boolean} may_post
 * @property {number} messages
 * @property {number | null} last_seq
 * @property {number | null} unread
 *
 * @typedef {"open" | "blocked" | "scheduled" | "in_progress" | "completed" | "failed" | "cancelled"} TaskStatus
 * @typedef {"urgent" | "high" | "normal" | "low"} Priority
 *
 * @typedef {object} Question
 * @property {string[]} options
 * @property {string | null} deadline
 * @property {string | null} default
 *
 * @typedef {object} Note
 * @property {number} seq
 * @property {string | null} entity_id
 * @property {string} note
 * @property {string} at
 *
 * @typedef {object} Task
 * @property {string} task_id
 * @property {string} title
 * @property {string} description
 * @property {TaskStatus} status
 * @property {Priority} priority
 * @property {string | null} created_by
 * @property {string | null} claimed_by
 * @property {boolean} requires_human
 * @property {boolean} requires_ai
 * @property {string[]} tags
 * @property {string[]} capabilities
 * @property {string[]} depends_on
 * @property {string[]} blocked_by
 * @property {Record<string, unknown>} metadata
 * @property {unknown} result
 * @property {number} attempts
 * @property {number | null} max_attempts
 * @property {string | null} not_before
 * @property {string | null} lease_expires_at
 * @property {Question | null} question
 * @property {boolean} stale  Soft: it was so when the task was read.
 * @property {string} created_at
 * @property {string | null} claimed_at
 * @property {string | null} completed_at
 * @property {string} updated_at
 *
 * @typedef {"for" | "against" | "abstain"} Choice
 *
 * @typedef {object} Vote
 * @property {string} entity_id
 * @property {Choice} vote
 * @property {string | null} comment
 * @property {string} at
 *
 * @typedef {object} Tally
 * @property {number} for
 * @property {number} against
 * @property {number} abstain
 * @property {number} eligible
 *
 * @typedef {object} Proposal
 * @property {string} proposal_id
 * @property {string} title
 * @property {string} description
 * @property {string | null} proposed_by
 * @property {"open" | "approved" | "rejected" | "expired" | "withdrawn"} status
 * @property {number} threshold
 * @property {number} quorum
 * @property {string} deadline
 * @property {boolean} requires_human
 * @property {boolean} early_close
 * @property {Tally} tally
 * @property {Vote[]} votes
 * @property {string[]} electorate
 * @property {string} created_at
 * @property {string | null} decided_at
 * @property {boolean} forced
 *
 * What waits for one entity.
 *
 * @typedef {object} Attention
 * @property {Message[]} unread_direct
 * @property {Message[]} acks_owed
 * @property {Task[]} questions
 * @property {Task[]} tasks
 * @property {Proposal[]} proposals
 *
 * Who is signed in: nobody where `entity_id` is missing. In open mode nobody need.
 *
 * @typedef {object} Who
 * @property {"open" | "token"} auth
 * @property {string | null} entity_id
 * @property {"member" | "observer" | "admin" | null} role
 * @property {boolean} signed_in
 *
 * @typedef {object} HubEvent
 * @property {number} seq
 * @property {string} at
 * @property {string} kind
 * @property {string | null} actor
 * @property {any} data  One of the objects that `docs/events.md` lists, by `kind`.
 */

/** Where a message goes: a channel, or one entity. */
/** @typedef {{ kind: "channel", id: string } | { kind: "direct", id: string }} Place */

/** What is known of the connection to the hub. */
/** @typedef {"off" | "loading" | "live" | "lost"} Connection */

// Types leave nothing behind at run time; this makes the file a module all the same.
export {};
