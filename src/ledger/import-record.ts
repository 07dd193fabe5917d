/**
 * One nodeData record of the older network, judged: what can be believed becomes a record, what was never the node's
 * to say is dropped, what contradicts itself is refused.
 *
 * A record's claims about uptime are cut to what its own times allow (the older system compounded them to 10,066
 * days). Its claim to be staked is not carried, nor is that to be a validator, unless the operator's lists name it.
 */
import { ZERO_HASH } from '../base/hash.ts';
import { ok, refuse, type Refusal, type Refused, type Result } from '../base/result.ts';
import { isVersion, MAX_TIME_SECONDS } from './event-fields.ts';
import { ethAddressOf, isPointOfCurve, parsePeerId, type Identity } from './identity.ts';
import { normaliseAddresses } from './multiaddrs.ts';
import {
  MAX_RECORD_BYTES,
  MAX_VERSION_LENGTH,
  NANOSECONDS,
  nodeEntryCodec,
  type NodeRecord,
  type StakeAttestation,
} from './record.ts';
import { parseRfc3339 } from './rfc3339.ts';

export interface ImportRules {
  /** Unix seconds: when the records were exported. */
  readonly referenceTimeSeconds: number;
  /** How far a record's times may be ahead of it: exports of several days are often put together in one file. */
  readonly futureSlackSeconds: number;
  /** Canonical peer ids that the operator attests as staked. */
  readonly staked: ReadonlySet<string>;
  /** Canonical peer ids of the new network's validators. */
  readonly validators: ReadonlySet<string>;
  /** That the chain begins with: a record says nothing that no event of the chain could say. */
  readonly eventSchema: number;
}

export interface Imported {
  readonly record: NodeRecord;
  /** What was changed; empty for a record that was valid as it was. */
  readonly changes: readonly Refusal[];
  /** What was not carried, though nothing about it was wrong. */
  readonly notes: readonly Refusal[];
}

export type Fields = Readonly<Record<string, unknown>>;

/** Of every version of the older program; others are dropped and reported. */
const KNOWN_FIELDS: ReadonlySet<string> = new Set([
  ...['multiaddrs', 'multiaddrsString', 'peerId', 'firstJoined', 'lastJoined', 'lastUpdated', 'lastLeft'],
  ...['uptime', 'uptimeStr', 'accumulatedUptime', 'accumulatedUptimeStr', 'currentUptime'],
  ...['readableCurrentUptime', 'readableAccumulatedUptime', 'ethAddress', 'activity', 'isActive', 'isStaked'],
  ...['isValidator', 'isWriterNode', 'isTwitterScraper', 'isDiscordScraper', 'isTelegramScraper', 'isWebScraper'],
  ...['version', 'workerTimeout', 'isLlmServer'],
]);

/** A worker's counters (v0.8): no part of a record, and not worth a remark each time. */
const WORKER_STATISTICS: ReadonlySet<string> = new Set([
  ...['returnedTweets', 'lastReturnedTweet', 'tweetTimeout', 'tweetTimeouts', 'lastTweetTimeout'],
  ...['lastNotFoundTime', 'notFoundCount'],
]);

const CAPABILITIES = ['isTwitterScraper', 'isDiscordScraper', 'isTelegramScraper', 'isWebScraper'] as const;

/** Go's clock has nanoseconds and these times have seconds: their difference is no contradiction. */
const ROUNDING_NS = NANOSECONDS;

class Remarks {
  readonly changes: Refusal[] = [];
  readonly notes: Refusal[] = [];

  changed(code: string, message: string, details: Refusal['details'] = {}): void {
    this.changes.push({ code, message, details });
  }

  noted(code: string, message: string, details: Refusal['details'] = {}): void {
    this.notes.push({ code, message, details });
  }
}

/**
 * Refusals: `peer-id-invalid`, `peer-id-unsupported`, those of addresses, `eth-address-not-yours`, `time-missing`,
 * `time-unit`, `time-in-future`, `times-out-of-order`, `activity-contradiction`, `version-missing`, `version-invalid`,
 * `record-malformed`, `record-too-large`.
 */
export function importRecord(fields: Fields, rules: ImportRules): Result<Imported> {
  const remarks = new Remarks();
  const identity = readIdentity(fields, remarks);
  if (!identity.ok) return identity;
  const version = readVersion(fields);
  if (!version.ok) return version;
  const times = readTimes(fields, rules, remarks);
  if (!times.ok) return times;
  const addresses = readAddresses(fields, identity.value, remarks);
  if (!addresses.ok) return addresses;
  const closedUptimeNs = readUptime(fields, times.value, remarks);
  if (!closedUptimeNs.ok) return closedUptimeNs;
  const flags = readFlags(fields, rules, remarks);
  if (!flags.ok) return flags;
  const workerTimeoutNs = readWorkerTimeout(fields);
  if (!workerTimeoutNs.ok) return workerTimeoutNs;
  reportClaims(fields, identity.value, rules, remarks);
  reportDropped(fields, remarks);
  const record: NodeRecord = {
    kind: 'record',
    peerId: identity.value.peerId,
    origin: 'import',
    multiaddrs: addresses.value,
    version: version.value,
    ...flags.value,
    stake: stakeOf(identity.value, rules),
    ...times.value,
    closedUptimeNs: closedUptimeNs.value,
    workerTimeoutNs: workerTimeoutNs.value,
    lastSeq: 0,
    lastEventId: ZERO_HASH,
  };
  const size = nodeEntryCodec.encode(record).length;
  if (size > MAX_RECORD_BYTES) {
    return refuse('record-too-large', 'the record would be larger than 4 KiB', {
      bytes: size,
      maxBytes: MAX_RECORD_BYTES,
    });
  }
  return ok({ record, changes: remarks.changes, notes: remarks.notes });
}

function malformed(field: string, expected: string): Refused {
  return refuse('record-malformed', 'a field does not have the required form', { field, expected });
}

function readIdentity(fields: Fields, remarks: Remarks): Result<Identity> {
  const text = fields['peerId'];
  if (typeof text !== 'string') return malformed('peerId', 'text');
  const identity = parsePeerId(text);
  if (!identity.ok) return identity;
  const { peerId, keyType, publicKey } = identity.value;
  if (keyType === 'secp256k1' && !isPointOfCurve(publicKey)) {
    return refuse('peer-id-invalid', 'the key in the peer id is not a point of its curve', { peerId });
  }
  if (peerId !== text) remarks.changed('peer-id-rewritten', 'the peer id is kept as base58', { peerId });
  const derived = ethAddressOf(identity.value);
  const claimed = fields['ethAddress'] ?? '';
  if (typeof claimed !== 'string') return malformed('ethAddress', 'text');
  if (claimed !== '' && claimed !== derived) {
    if (claimed.toLowerCase() !== derived.toLowerCase()) {
      return refuse('eth-address-not-yours', 'the Ethereum address is not that of the peer id', { claimed, derived });
    }
    remarks.changed('eth-address-rewritten', 'the Ethereum address is kept with its checksum', { derived });
  }
  return identity;
}

type Times = Pick<NodeRecord, 'activity' | 'firstJoined' | 'lastJoined' | 'lastLeft' | 'lastHeard' | 'lastUpdated'>;

function readTimes(fields: Fields, rules: ImportRules, remarks: Remarks): Result<Times> {
  const seconds: Record<string, number> = {};
  for (const field of ['firstJoined', 'lastJoined', 'lastUpdated', 'lastLeft']) {
    const time = readTime(fields, field, rules, remarks);
    if (!time.ok) return time;
    seconds[field] = time.value;
  }
  const { firstJoined = 0, lastJoined = 0, lastUpdated = 0, lastLeft = 0 } = seconds;
  if (firstJoined === 0 || lastJoined === 0 || lastUpdated === 0) {
    return refuse('time-missing', 'a record says when its node joined and when it was last heard', {
      firstJoined,
      lastJoined,
      lastUpdated,
    });
  }
  const activity = fields['activity'] ?? 0;
  if (activity !== 0 && activity !== 1) return malformed('activity', '0 or 1');
  const hasLeft = activity === 1;
  if (hasLeft && fields['isActive'] === true) {
    return refuse('activity-contradiction', 'the node has left and is active', { activity });
  }
  const leftAt = hasLeft && lastLeft === 0 ? lastUpdated : lastLeft;
  const inOrder =
    firstJoined <= lastJoined &&
    lastJoined <= lastUpdated &&
    (hasLeft ? leftAt >= lastJoined && leftAt <= lastUpdated : leftAt <= lastJoined);
  if (!inOrder) {
    return refuse('times-out-of-order', 'firstJoined, lastJoined and lastUpdated follow each other', {
      firstJoined,
      lastJoined,
      lastUpdated,
      lastLeft,
    });
  }
  return ok({
    activity: hasLeft ? 'left' : 'joined',
    firstJoined,
    lastJoined,
    lastLeft: leftAt,
    lastHeard: lastUpdated,
    lastUpdated,
  });
}

/** @returns unix seconds; 0 for a missing or zero time */
function readTime(fields: Fields, field: string, rules: ImportRules, remarks: Remarks): Result<number> {
  let time = fields[field] ?? 0;
  if (typeof time === 'string') {
    const ns = parseRfc3339(time);
    if (ns === undefined) return malformed(field, 'unix seconds, or RFC 3339');
    time = ns <= 0n ? 0 : Number(ns / NANOSECONDS);
    if (time !== 0) remarks.changed('time-rewritten', 'the time is kept as unix seconds', { field });
  }
  if (typeof time === 'bigint' || (typeof time === 'number' && time > MAX_TIME_SECONDS)) {
    return refuse('time-unit', 'times are unix seconds, at most ten digits', { field, time });
  }
  if (typeof time !== 'number' || !Number.isSafeInteger(time) || time < 0) return malformed(field, 'unix seconds');
  const latest = rules.referenceTimeSeconds + rules.futureSlackSeconds;
  if (time > latest) {
    return refuse('time-in-future', 'the time is too far ahead of the reference time', { field, time, latest });
  }
  return ok(time);
}

function readVersion(fields: Fields): Result<string> {
  const version = fields['version'] ?? '';
  if (version === '') return refuse('version-missing', 'a record names the version of its node');
  if (typeof version === 'string' && isVersion(version)) return ok(version);
  return refuse('version-invalid', 'a version has 1 to 64 printable ASCII characters', { max: MAX_VERSION_LENGTH });
}

function readAddresses(fields: Fields, identity: Identity, remarks: Remarks): Result<readonly string[]> {
  const given = fields['multiaddrs'] ?? [];
  if (fields['multiaddrs'] === null) remarks.changed('addresses-missing', 'null is kept as no addresses');
  if (!Array.isArray(given) || !given.every((item): item is string => typeof item === 'string')) {
    return malformed('multiaddrs', 'a list of texts');
  }
  const addresses = normaliseAddresses(identity.peerId, given);
  if (!addresses.ok) return addresses;
  // Their order says nothing, and every record's addresses are sorted.
  const same = addresses.value.length === given.length && addresses.value.every((address) => given.includes(address));
  if (!same) {
    remarks.changed('addresses-rewritten', "addresses are kept without the node's own id, each once", {
      given: given.length,
      kept: addresses.value.length,
    });
  }
  return addresses;
}

/** @returns nanoseconds of the closed sessions: what the older system counted, less the open session */
function readUptime(fields: Fields, times: Times, remarks: Remarks): Result<bigint> {
  const open = readNanoseconds(fields, fields['uptime'] === undefined ? 'currentUptime' : 'uptime');
  if (!open.ok) return open;
  const accumulated = readNanoseconds(fields, 'accumulatedUptime');
  if (!accumulated.ok) return accumulated;
  const joined = times.activity === 'joined';
  const openLimitNs = joined ? spanNs(times.lastJoined, times.lastUpdated) : 0n;
  const closedLimitNs = spanNs(times.firstJoined, joined ? times.lastJoined : times.lastLeft);
  const claimedNs = accumulated.value - (joined ? open.value : 0n);
  const closedNs = claimedNs < 0n ? 0n : claimedNs > closedLimitNs ? closedLimitNs : claimedNs;
  const beyond = claimedNs > closedLimitNs + ROUNDING_NS || (joined && open.value > openLimitNs + ROUNDING_NS);
  if (beyond || open.value < 0n || accumulated.value < 0n) {
    remarks.changed('uptime-clamped', 'the uptime is cut to what the times allow', {
      accumulatedNs: accumulated.value,
      uptimeNs: open.value,
      keptNs: closedNs,
    });
  }
  return ok(closedNs);
}

function spanNs(from: number, to: number): bigint {
  return BigInt(to - from) * NANOSECONDS;
}

function readNanoseconds(fields: Fields, field: string): Result<bigint> {
  const value = fields[field] ?? 0;
  if (typeof value === 'bigint') return ok(value);
  return Number.isSafeInteger(value) ? ok(BigInt(value as number)) : malformed(field, 'whole nanoseconds');
}

type Flags = Pick<NodeRecord, (typeof CAPABILITIES)[number] | 'isLlmServer'>;

function readFlags(fields: Fields, rules: ImportRules, remarks: Remarks): Result<Flags> {
  const isLlmServer = readLlmServer(fields, rules, remarks);
  if (!isLlmServer.ok) return isLlmServer;
  const flags = { isTwitterScraper: false, isDiscordScraper: false, isTelegramScraper: false, isWebScraper: false };
  for (const field of CAPABILITIES) {
    const flag = fields[field];
    if (flag === undefined) remarks.changed('flag-missing', 'a missing flag is kept as false', { field });
    else if (typeof flag === 'boolean') flags[field] = flag;
    else return malformed(field, 'a boolean');
  }
  return ok({ ...flags, isLlmServer: isLlmServer.value });
}

/** Most versions of the older program had no such flag, and one that is missing is worth no remark. */
function readLlmServer(fields: Fields, { eventSchema }: ImportRules, remarks: Remarks): Result<boolean> {
  const flag = fields['isLlmServer'] ?? false;
  if (typeof flag !== 'boolean') return malformed('isLlmServer', 'a boolean');
  if (!flag || eventSchema >= 2) return ok(flag);
  remarks.changed('fields-dropped', 'a record has no such fields', { fields: 'isLlmServer' });
  return ok(false);
}

function readWorkerTimeout(fields: Fields): Result<bigint | null> {
  const value = fields['workerTimeout'];
  if (value === undefined || value === null) return ok(null);
  const ns = typeof value === 'string' ? parseRfc3339(value) : undefined;
  if (ns === undefined || ns >= 1n << 63n) return malformed('workerTimeout', 'RFC 3339, before the year 2262');
  return ok(ns <= 0n ? null : ns);
}

/** Older staking knows Ethereum addresses only, so a node without one cannot be staked. */
function stakeOf(identity: Identity, rules: ImportRules): StakeAttestation | null {
  if (!rules.staked.has(identity.peerId) || identity.keyType !== 'secp256k1') return null;
  return { isStaked: true, attestedAt: rules.referenceTimeSeconds, proposal: null, reference: 'genesis import' };
}

function reportClaims(fields: Fields, identity: Identity, rules: ImportRules, remarks: Remarks): void {
  const { peerId, keyType } = identity;
  const claimsValidator = fields['isValidator'] === true || fields['isWriterNode'] === true;
  if (claimsValidator && !rules.validators.has(peerId)) {
    remarks.changed('validator-claim-dropped', 'a validator is who the validator set names', { peerId });
  }
  if (rules.staked.has(peerId)) {
    if (keyType !== 'secp256k1') {
      remarks.changed('stake-not-possible', 'without an Ethereum address a node cannot be staked', { peerId });
    }
  } else if (fields['isStaked'] === true) {
    remarks.noted('stake-claim-dropped', 'its stake is attested by the import list or by a quorum', { peerId });
  }
}

function reportDropped(fields: Fields, remarks: Remarks): void {
  const unknown = Object.keys(fields).filter((name) => !KNOWN_FIELDS.has(name) && !WORKER_STATISTICS.has(name));
  if (unknown.length > 0) {
    remarks.changed('fields-dropped', 'a record has no such fields', { fields: unknown.join(' ').slice(0, 256) });
  }
  if (Object.keys(fields).some((name) => WORKER_STATISTICS.has(name))) {
    remarks.noted('worker-statistics-dropped', "a worker's counters are no part of a record");
  }
}
