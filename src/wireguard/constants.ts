// WireGuard's numbers, WG §6.1 and §5.4, in milliseconds. Both halves use them: handshakes (control) and sessions (data).

/** After this age the initiator of a session makes the next one when it sends. */
export const REKEY_AFTER_TIME = 120_000
/** After this age a session neither sends nor receives. */
export const REJECT_AFTER_TIME = 180_000
/** How long initiations are repeated when nobody answers. */
export const REKEY_ATTEMPT_TIME = 90_000
/** Between two initiations, and from an unanswered one to its repetition. */
export const REKEY_TIMEOUT = 5_000
/** A random part of this is added to what two hosts might otherwise do in the same moment. */
export const JITTER = 334
/** Who has received data and sent nothing for this long says so with a keepalive. */
export const KEEPALIVE_TIMEOUT = 10_000
/** All key material goes when there was no new session for so long. */
export const ZERO_AFTER_TIME = 3 * REJECT_AFTER_TIME
/** Repetitions before giving up: the last one is at most REKEY_ATTEMPT_TIME after the first. */
export const MAX_ATTEMPTS = REKEY_ATTEMPT_TIME / REKEY_TIMEOUT
/** WG §6.2: the initiator also makes a new session when it receives on one that would not outlive another exchange. */
export const REKEY_ON_RECEIVE_TIME = REJECT_AFTER_TIME - KEEPALIVE_TIMEOUT - REKEY_TIMEOUT
/** From data sent without an answer to a new handshake. */
export const NEW_HANDSHAKE_TIME = KEEPALIVE_TIMEOUT + REKEY_TIMEOUT

/**
 * WG §6.1 has 2^60 and 2^64 - 2^13 - 1. Counters are JS numbers here, exact up to 2^53; at 10^7 packets a second a session
 * that lives for 180 s counts to 2^31.
 */
export const REKEY_AFTER_MESSAGES = 2 ** 52
export const REJECT_AFTER_MESSAGES = 2 ** 53 - 2 ** 13 - 1

/** WG §5.4.7: how long a cookie is good, and a secret that cookies are made of. */
export const COOKIE_REFRESH = 120_000
/** A cookie that is older than COOKIE_REFRESH less this is not used: it might be stale on arrival. */
export const COOKIE_LATENCY = 5_000

/** Handshake messages that may wait; from an eighth of them on the host is under load (WG §5.3), and for a while after. */
export const HANDSHAKE_QUEUE = 1024
export const UNDER_LOAD_QUEUE = HANDSHAKE_QUEUE / 8
/** So many of those without MAC2: a flood of them leaves room for who has taken our cookie, and does not hold them up for long. */
export const HANDSHAKE_QUEUE_PLAIN = HANDSHAKE_QUEUE / 4
export const UNDER_LOAD_TIME = 1_000

/** Initiations that one peer may have answered a second, as a distance: a flood is not worth the arithmetic. */
export const INITIATION_INTERVAL = 20
