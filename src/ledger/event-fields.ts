/**
 * Readers of the fields of an event, and of what is signed in one: each takes a value of its type, in its limits, or stops
 * with a refusal that names the field.
 */
import { fromBase64 } from '../base/base64.ts';
import type { Hash } from '../base/hash.ts';
import type { Detail, Refusal, Result } from '../base/result.ts';
import type { Capabilities, Capabilities1 } from './event-schema.ts';
import { ethAddressOf, parsePeerId, type Identity } from './identity.ts';
import { normaliseAddresses } from './multiaddrs.ts';
import { MAX_VERSION_LENGTH } from './record.ts';

/** Ten digits: until the year 2286. Longer ones are milliseconds or worse. */
export const MAX_TIME_SECONDS = 9_999_999_999;

/** `qc/evidence.ts` encodes to at most 1 KiB. */
const MAX_EVIDENCE_LENGTH = 2048;
export const MAX_REASON_LENGTH = 256;

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

/** Carries a refusal out of the nested readers below; `event-check.ts` alone catches it. */
export class FieldRefused extends Error {
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.code);
    this.refusal = refusal;
  }
}

export function stop(code: string, message: string, details: Readonly<Record<string, Detail>> = {}): never {
  throw new FieldRefused({ code, message, details });
}

export function value<T>(result: Result<T>): T {
  if (!result.ok) throw new FieldRefused(result.refusal);
  return result.value;
}

export type Fields = Readonly<Record<string, unknown>>;

export function asObject(from: unknown, name: string): Fields {
  if (typeof from === 'object' && from !== null && !Array.isArray(from)) return from as Fields;
  return stop('event-malformed', 'a JSON object is expected', { field: name });
}

export function checkNames(object: Fields, allowed: ReadonlySet<string>): void {
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

export function asUint(object: Fields, field: string, min = 0, max = Number.MAX_SAFE_INTEGER): number {
  const found = given(object, field);
  if (typeof found === 'number' && Number.isSafeInteger(found) && found >= min && found <= max) return found;
  return wrong(field, `a whole number from ${min} to ${max}`);
}

export function asTime(object: Fields, field: string, min = 1): number {
  const time = asUint(object, field, min);
  if (time > MAX_TIME_SECONDS) stop('time-unit', 'times are unix seconds, at most ten digits', { field, time });
  return time;
}

export function asBoolean(object: Fields, field: string): boolean {
  const found = given(object, field);
  return typeof found === 'boolean' ? found : wrong(field, 'a boolean');
}

export function asText(object: Fields, field: string, maxLength: number): string {
  const found = given(object, field);
  return typeof found === 'string' && found.length <= maxLength ? found : wrong(field, `text of at most ${maxLength}`);
}

export function asPrintable(object: Fields, field: string, maxLength: number): string {
  const text = asText(object, field, maxLength);
  return /^[\x20-\x7e]+$/.test(text) ? text : wrong(field, 'printable ASCII characters');
}

export function asHash(object: Fields, field: string): Hash {
  const text = asText(object, field, 64);
  return /^[0-9a-f]{64}$/.test(text) ? (text as Hash) : wrong(field, '64 lowercase hexadecimal digits');
}

export function asPeerId(object: Fields, field: string): string {
  return value(parsePeerId(asText(object, field, 128))).peerId;
}

export function asVersion(object: Fields): string {
  const version = given(object, 'version');
  if (typeof version === 'string' && isVersion(version)) return version;
  return stop('version-invalid', 'a version has 1 to 64 printable ASCII characters', { max: MAX_VERSION_LENGTH });
}

export function isVersion(text: string): boolean {
  return text.length <= MAX_VERSION_LENGTH && /^[\x20-\x7e]+$/.test(text);
}

export function asCapabilities1(object: Fields): Capabilities1 {
  return {
    isTwitterScraper: asBoolean(object, 'isTwitterScraper'),
    isDiscordScraper: asBoolean(object, 'isDiscordScraper'),
    isTelegramScraper: asBoolean(object, 'isTelegramScraper'),
    isWebScraper: asBoolean(object, 'isWebScraper'),
  };
}

export function asCapabilities(object: Fields): Capabilities {
  return { ...asCapabilities1(object), isLlmServer: asBoolean(object, 'isLlmServer') };
}

export function asAddresses(object: Fields, identity: Identity): readonly string[] {
  const found = given(object, 'multiaddrs');
  const texts = Array.isArray(found) && found.every((item): item is string => typeof item === 'string');
  return texts ? value(normaliseAddresses(identity.peerId, found)) : wrong('multiaddrs', 'a list of texts');
}

export function asEthAddress(object: Fields, identity: Identity): string {
  const ethAddress = asText(object, 'ethAddress', 64);
  if (ethAddress === ethAddressOf(identity)) return ethAddress;
  return stop('eth-address-not-yours', 'the Ethereum address is not that of the peer id', { ethAddress });
}

export function asEvidence(object: Fields): string {
  const text = asText(object, 'evidence', MAX_EVIDENCE_LENGTH);
  return fromBase64(text) === undefined ? wrong('evidence', 'base64') : text;
}
