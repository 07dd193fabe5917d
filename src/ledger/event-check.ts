/**
 * Holds a parsed JSON value against the schema of events. What passes has every field of its type, in its limits, and
 * no other field: nothing of an event is ever ignored, or two programs could read one signed text differently.
 */
import { fromBase64 } from '../base/base64.ts';
import type { Hash } from '../base/hash.ts';
import { ok, refuse, type Detail, type Refusal, type Result } from '../base/result.ts';
import type { Capabilities, EventBase, EventType, JoinedEvent, LedgerEvent, QuorumAction } from './event-schema.ts';
import { ethAddressOf, parsePeerId, type Identity } from './identity.ts';
import { normaliseAddresses } from './multiaddrs.ts';
import { MAX_LIVENESS_WINDOW_SECONDS, MIN_LIVENESS_WINDOW_SECONDS } from './parameters.ts';
import { MAX_REFERENCE_LENGTH, MAX_VERSION_LENGTH } from './record.ts';

/** Ten digits: until the year 2286. Longer ones are milliseconds or worse. */
export const MAX_TIME_SECONDS = 9_999_999_999;

/** `qc/evidence.ts` encodes to at most 1 KiB. */
const MAX_EVIDENCE_LENGTH = 2048;
export const MAX_REASON_LENGTH = 256;

const BASE_FIELDS = ['type', 'peerId', 'seq', 'time'];
const CAPABILITY_FIELDS = ['isTwitterScraper', 'isDiscordScraper', 'isTelegramScraper', 'isWebScraper'];

const FIELDS: { readonly [K in EventType]: ReadonlySet<string> } = {
  joined: fields('multiaddrs', 'version', 'ethAddress', ...CAPABILITY_FIELDS),
  left: fields(),
  addressesChanged: fields('multiaddrs'),
  capabilitiesDeclared: fields(...CAPABILITY_FIELDS),
  versionChanged: fields('version'),
  heartbeat: fields(),
  proposed: fields('action', 'epoch', 'replaces', 'expires'),
  approved: fields('proposal'),
  evidenceRecorded: fields('epoch', 'offender', 'evidence'),
};

function fields(...own: string[]): ReadonlySet<string> {
  return new Set([...BASE_FIELDS, ...own]);
}

/** Fields of a record that its node does not set: the ledger derives them, or a quorum of validators decides them. */
const NOT_YOURS: ReadonlySet<string> = new Set([
  'isStaked',
  'isValidator',
  'isWriterNode',
  'isActive',
  'activity',
  'firstJoined',
  'lastJoined',
  'lastLeft',
  'lastUpdated',
  'lastHeard',
  'uptime',
  'uptimeStr',
  'accumulatedUptime',
  'accumulatedUptimeStr',
  'workerTimeout',
  'multiaddrsString',
]);

export interface CheckedEvent {
  readonly event: LedgerEvent;
  readonly identity: Identity;
}

/** Carries a refusal out of the nested readers below; `checkEvent` alone catches it. */
class FieldRefused extends Error {
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.code);
    this.refusal = refusal;
  }
}

function stop(code: string, message: string, details: Readonly<Record<string, Detail>> = {}): never {
  throw new FieldRefused({ code, message, details });
}

function value<T>(result: Result<T>): T {
  if (!result.ok) throw new FieldRefused(result.refusal);
  return result.value;
}

/**
 * @param parsed of JSON
 * Refusals: `event-malformed`, `unknown-type`, `unknown-field`, `field-not-yours`, `field-missing`, `field-invalid`,
 * `time-unit`, `version-invalid`, `eth-address-not-yours`, `action-unknown`, `action-not-available`, and those of
 * peer ids and addresses.
 */
export function checkEvent(parsed: unknown): Result<CheckedEvent> {
  try {
    const object = asObject(parsed, 'event');
    const type = object['type'];
    if (typeof type !== 'string') return refuse('field-missing', 'an event has a type', { field: 'type' });
    if (!Object.hasOwn(FIELDS, type)) return refuse('unknown-type', 'not a type of event', { type: type.slice(0, 64) });
    checkNames(object, FIELDS[type as EventType]);
    const identity = value(parsePeerId(asText(object, 'peerId', 128)));
    const base = { peerId: identity.peerId, seq: asUint(object, 'seq', 1), time: asTime(object, 'time') };
    return ok({ event: readers[type as EventType](object, base, identity), identity });
  } catch (error) {
    if (error instanceof FieldRefused) return { ok: false, refusal: error.refusal };
    throw error;
  }
}

type Fields = Readonly<Record<string, unknown>>;
type Reader = (object: Fields, base: EventBase, identity: Identity) => LedgerEvent;

const readers: { readonly [K in EventType]: Reader } = {
  // Field by field, as it is most of what comes: a spread inside of a literal costs V8 ten times its fields.
  joined: (object, { peerId, seq, time }, identity) => {
    const event: JoinedEvent = {
      type: 'joined',
      peerId,
      seq,
      time,
      multiaddrs: asAddresses(object, identity),
      version: asVersion(object),
      isTwitterScraper: asBoolean(object, 'isTwitterScraper'),
      isDiscordScraper: asBoolean(object, 'isDiscordScraper'),
      isTelegramScraper: asBoolean(object, 'isTelegramScraper'),
      isWebScraper: asBoolean(object, 'isWebScraper'),
    };
    return Object.hasOwn(object, 'ethAddress') ? { ...event, ethAddress: asEthAddress(object, identity) } : event;
  },
  left: (_, base) => ({ type: 'left', ...base }),
  addressesChanged: (object, base, identity) => ({
    type: 'addressesChanged',
    ...base,
    multiaddrs: asAddresses(object, identity),
  }),
  capabilitiesDeclared: (object, base) => ({ type: 'capabilitiesDeclared', ...base, ...asCapabilities(object) }),
  versionChanged: (object, base) => ({ type: 'versionChanged', ...base, version: asVersion(object) }),
  heartbeat: (_, base) => ({ type: 'heartbeat', ...base }),
  proposed: (object, base) => ({
    type: 'proposed',
    ...base,
    action: asAction(asObject(object['action'], 'action')),
    epoch: asUint(object, 'epoch'),
    replaces: asHash(object, 'replaces'),
    expires: asTime(object, 'expires'),
  }),
  approved: (object, base) => ({ type: 'approved', ...base, proposal: asHash(object, 'proposal') }),
  evidenceRecorded: (object, base) => ({
    type: 'evidenceRecorded',
    ...base,
    epoch: asUint(object, 'epoch'),
    offender: asPeerId(object, 'offender'),
    evidence: asEvidence(object),
  }),
};

function asAction(object: Fields): QuorumAction {
  const kind = asText(object, 'kind', 64);
  switch (kind) {
    case 'stakeStatusChanged':
      checkNames(object, new Set(['kind', 'peerId', 'isStaked', 'reference']));
      return {
        kind,
        peerId: asPeerId(object, 'peerId'),
        isStaked: asBoolean(object, 'isStaked'),
        reference: asPrintable(object, 'reference', MAX_REFERENCE_LENGTH),
      };
    case 'nodeRemoved':
      checkNames(object, new Set(['kind', 'peerId', 'reason']));
      return { kind, peerId: asPeerId(object, 'peerId'), reason: asPrintable(object, 'reason', MAX_REASON_LENGTH) };
    case 'workerTimeoutSet':
      checkNames(object, new Set(['kind', 'peerId', 'workerTimeout']));
      return { kind, peerId: asPeerId(object, 'peerId'), workerTimeout: asTime(object, 'workerTimeout', 0) };
    case 'schemaActivated':
      checkNames(object, new Set(['kind', 'schema']));
      return { kind, schema: asUint(object, 'schema', 1, 0xffff) };
    case 'parametersChanged': {
      checkNames(object, new Set(['kind', 'parameters']));
      const parameters = asObject(object['parameters'], 'parameters');
      checkNames(parameters, new Set(['livenessWindowSeconds']));
      const window = [MIN_LIVENESS_WINDOW_SECONDS, MAX_LIVENESS_WINDOW_SECONDS] as const;
      return { kind, parameters: { livenessWindowSeconds: asUint(parameters, 'livenessWindowSeconds', ...window) } };
    }
    case 'validatorSetChanged':
      return stop('action-not-available', 'this version cannot change the validator set yet', { kind });
    default:
      return stop('action-unknown', 'not an action that validators can take', { kind });
  }
}

function asObject(from: unknown, name: string): Fields {
  if (typeof from === 'object' && from !== null && !Array.isArray(from)) return from as Fields;
  return stop('event-malformed', 'a JSON object is expected', { field: name });
}

function checkNames(object: Fields, allowed: ReadonlySet<string>): void {
  for (const name of Object.keys(object)) {
    if (allowed.has(name)) continue;
    const field = name.slice(0, 64);
    if (NOT_YOURS.has(name)) stop('field-not-yours', 'a node does not set this field of its record', { field });
    stop('unknown-field', 'an event of this type has no such field', { field });
  }
}

function given(object: Fields, field: string): unknown {
  const found = Object.hasOwn(object, field) ? object[field] : undefined;
  return found === undefined ? stop('field-missing', 'a field is missing', { field }) : found;
}

function wrong(field: string, expected: string): never {
  return stop('field-invalid', 'a field does not have the required form', { field, expected });
}

function asUint(object: Fields, field: string, min = 0, max = Number.MAX_SAFE_INTEGER): number {
  const found = given(object, field);
  if (typeof found === 'number' && Number.isSafeInteger(found) && found >= min && found <= max) return found;
  return wrong(field, `a whole number from ${min} to ${max}`);
}

function asTime(object: Fields, field: string, min = 1): number {
  const time = asUint(object, field, min);
  if (time > MAX_TIME_SECONDS) stop('time-unit', 'times are unix seconds, at most ten digits', { field, time });
  return time;
}

function asBoolean(object: Fields, field: string): boolean {
  const found = given(object, field);
  return typeof found === 'boolean' ? found : wrong(field, 'a boolean');
}

function asText(object: Fields, field: string, maxLength: number): string {
  const found = given(object, field);
  return typeof found === 'string' && found.length <= maxLength ? found : wrong(field, `text of at most ${maxLength}`);
}

function asPrintable(object: Fields, field: string, maxLength: number): string {
  const text = asText(object, field, maxLength);
  return /^[\x20-\x7e]+$/.test(text) ? text : wrong(field, 'printable ASCII characters');
}

function asHash(object: Fields, field: string): Hash {
  const text = asText(object, field, 64);
  return /^[0-9a-f]{64}$/.test(text) ? (text as Hash) : wrong(field, '64 lowercase hexadecimal digits');
}

function asPeerId(object: Fields, field: string): string {
  return value(parsePeerId(asText(object, field, 128))).peerId;
}

function asVersion(object: Fields): string {
  const version = given(object, 'version');
  if (typeof version === 'string' && isVersion(version)) return version;
  return stop('version-invalid', 'a version has 1 to 64 printable ASCII characters', { max: MAX_VERSION_LENGTH });
}

export function isVersion(text: string): boolean {
  return text.length <= MAX_VERSION_LENGTH && /^[\x20-\x7e]+$/.test(text);
}

function asCapabilities(object: Fields): Capabilities {
  return {
    isTwitterScraper: asBoolean(object, 'isTwitterScraper'),
    isDiscordScraper: asBoolean(object, 'isDiscordScraper'),
    isTelegramScraper: asBoolean(object, 'isTelegramScraper'),
    isWebScraper: asBoolean(object, 'isWebScraper'),
  };
}

function asAddresses(object: Fields, identity: Identity): readonly string[] {
  const found = given(object, 'multiaddrs');
  const texts = Array.isArray(found) && found.every((item): item is string => typeof item === 'string');
  return texts ? value(normaliseAddresses(identity.peerId, found)) : wrong('multiaddrs', 'a list of texts');
}

function asEthAddress(object: Fields, identity: Identity): string {
  const ethAddress = asText(object, 'ethAddress', 64);
  if (ethAddress === ethAddressOf(identity)) return ethAddress;
  return stop('eth-address-not-yours', 'the Ethereum address is not that of the peer id', { ethAddress });
}

function asEvidence(object: Fields): string {
  const text = asText(object, 'evidence', MAX_EVIDENCE_LENGTH);
  return fromBase64(text) === undefined ? wrong('evidence', 'base64') : text;
}
