/**
 * A list of nodeData records, of the older network or exported of another chain of this one, turned into records of a
 * genesis state, each with a verdict.
 */
import { ok, refuse, type Refusal, type Result } from '../base/result.ts';
import { importExported, isExported } from './exported-record.ts';
import { parsePeerId } from './identity.ts';
import { importRecord, type Fields, type Imported, type ImportRules } from './import-record.ts';
import { checkRecordInvariants } from './invariants.ts';
import { NEWEST_EVENT_SCHEMA } from './newest-schema.ts';
import type { NodeRecord } from './record.ts';

/** Exports of several months are found in one file; a year ahead, which froze a record in the older system, is not. */
export const DEFAULT_FUTURE_SLACK_SECONDS = 90 * 86_400;

export interface ImportOptions {
  /** Unix seconds: when the records were exported. */
  readonly referenceTimeSeconds: number;
  /** Peer ids that the operator attests as staked, in any accepted form. */
  readonly staked?: readonly string[];
  /** Peer ids of the new network's validators, in any accepted form. */
  readonly validators?: readonly string[];
  readonly futureSlackSeconds?: number;
  /** That the new chain begins with; left out: the newest. */
  readonly eventSchema?: number;
}

export type Verdict = 'valid' | 'normalised' | 'rejected';

export interface ImportLine {
  /** Position in the list, from 0. */
  readonly index: number;
  /** As the record has it, at most 64 characters; '' when it has none. */
  readonly peerId: string;
  readonly verdict: Verdict;
  /** Why it was rejected, or what was changed; empty for a valid record. */
  readonly reasons: readonly Refusal[];
  /** What was not carried, though nothing about it was wrong. */
  readonly notes: readonly Refusal[];
}

export interface ImportOutcome {
  /** Sorted by peer id, as the state is. */
  readonly records: readonly NodeRecord[];
  readonly report: readonly ImportLine[];
  /** The latest time in any record, unix seconds, 0 without records: a genesis is not older than its records. */
  readonly latestTimeSeconds: number;
  /** Peer ids of the `staked` list that no accepted record has. */
  readonly stakedWithoutRecord: readonly string[];
}

/**
 * @param text a JSON array of records, or one record a line
 * Refusals: `undecodable`, `import-not-a-list`, and those of peer ids, for the lists of options.
 */
export function importRecords(text: string, options: ImportOptions): Result<ImportOutcome> {
  const list = parseList(text);
  if (!list.ok) return list;
  const rules = rulesOf(options);
  if (!rules.ok) return rules;
  const seen = new Map<string, number>();
  const records: NodeRecord[] = [];
  const report = list.value.map((value, index) => {
    const result = importOne(value, index, seen, rules.value);
    if (result.ok) records.push(result.value.record);
    return lineOf(value, index, result);
  });
  records.sort((a, b) => (a.peerId < b.peerId ? -1 : 1));
  const accepted = new Set(records.map(({ peerId }) => peerId));
  return ok({
    records,
    report,
    latestTimeSeconds: records.reduce((latest, { lastUpdated }) => Math.max(latest, lastUpdated), 0),
    stakedWithoutRecord: [...rules.value.staked].filter((peerId) => !accepted.has(peerId)),
  });
}

/**
 * Uptimes in nanoseconds pass 2^53: whole numbers that a double cannot hold become bigints of the digits written.
 *
 * Refusals: `undecodable`, also for what is nested deeper than the stack is.
 */
export function parseWithExactIntegers(text: string): Result<unknown> {
  const exact = (_key: string, value: unknown, context?: { source: string }): unknown =>
    typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d{1,20}$/.test(context?.source ?? '')
      ? BigInt(context?.source ?? '')
      : value;
  try {
    return ok(JSON.parse(text, exact) as unknown);
  } catch {
    return refuse('undecodable', 'the bytes do not decode', { reason: 'not JSON, or nested too deeply' });
  }
}

function parseList(text: string): Result<readonly unknown[]> {
  const parsed = parseWithExactIntegers(text);
  // What is no JSON as a whole may be so line by line, where its first line is an object.
  if (!parsed.ok) return text.trimStart().startsWith('{') ? parseLines(text) : parsed;
  if (Array.isArray(parsed.value)) return ok(parsed.value);
  return isRecord(parsed.value)
    ? ok([parsed.value])
    : refuse('import-not-a-list', 'a JSON array of records is expected, or one record a line');
}

function parseLines(text: string): Result<readonly unknown[]> {
  const list: unknown[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const parsed = parseWithExactIntegers(line);
    if (!parsed.ok) {
      const details = { ...parsed.refusal.details, line: index + 1 };
      return refuse('undecodable', 'a line of the file does not decode', details);
    }
    list.push(parsed.value);
  }
  return ok(list);
}

/** A file of one line. */
function isRecord(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'peerId' in value;
}

function rulesOf(options: ImportOptions): Result<ImportRules> {
  const staked = canonicalIds(options.staked ?? []);
  if (!staked.ok) return staked;
  const validators = canonicalIds(options.validators ?? []);
  if (!validators.ok) return validators;
  return ok({
    referenceTimeSeconds: options.referenceTimeSeconds,
    futureSlackSeconds: options.futureSlackSeconds ?? DEFAULT_FUTURE_SLACK_SECONDS,
    staked: staked.value,
    validators: validators.value,
    eventSchema: options.eventSchema ?? NEWEST_EVENT_SCHEMA,
  });
}

function canonicalIds(texts: readonly string[]): Result<ReadonlySet<string>> {
  const ids = new Set<string>();
  for (const text of texts) {
    const identity = parsePeerId(text);
    if (!identity.ok) return identity;
    ids.add(identity.value.peerId);
  }
  return ok(ids);
}

/** @param seen canonical peer ids and where they first were: of two records of one node, the later is rejected */
function importOne(value: unknown, index: number, seen: Map<string, number>, rules: ImportRules): Result<Imported> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refuse('record-malformed', 'a record is a JSON object', { index });
  }
  const fields = value as Fields;
  const identity = parsePeerId(peerIdText(fields));
  if (identity.ok) {
    const first = seen.get(identity.value.peerId);
    if (first !== undefined) {
      return refuse('duplicate-peer', 'an earlier record of the list has this peer id', { index, first });
    }
    seen.set(identity.value.peerId, index);
  }
  const imported = isExported(fields) ? importExported(fields, rules) : importRecord(fields, rules);
  if (imported.ok) checkRecordInvariants(imported.value.record);
  return imported;
}

function lineOf(value: unknown, index: number, result: Result<Imported>): ImportLine {
  const peerId = typeof value === 'object' && value !== null ? peerIdText(value as Fields).slice(0, 64) : '';
  if (!result.ok) return { index, peerId, verdict: 'rejected', reasons: [result.refusal], notes: [] };
  const { changes, notes } = result.value;
  return { index, peerId, verdict: changes.length === 0 ? 'valid' : 'normalised', reasons: changes, notes };
}

function peerIdText(fields: Fields): string {
  const peerId = fields['peerId'];
  return typeof peerId === 'string' ? peerId : '';
}
