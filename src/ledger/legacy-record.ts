/**
 * What of the older system's state becomes a record of the ledger, at BASE and never later: nodeData that would pass an
 * import into a genesis (`import-record.ts`), under the canonical peer id of its node. It was signed by nobody, as an import
 * is, and its record says so (`origin: 'import'`). All else stays what it is, a value under `legacy/`.
 *
 * What is judged here is judged by every replica on its own, so nothing but the value decides: no clock, no stack, no memory.
 */
import { textFromUtf8 } from '../base/bytes.ts';
import { refuse, type Result } from '../base/result.ts';
import { MAX_SUBMITTER_SKEW_SECONDS } from './admission-time.ts';
import type { Genesis } from './genesis.ts';
import { parsePeerId } from './identity.ts';
import { parseWithExactIntegers } from './import.ts';
import { importRecord, type Fields, type ImportRules } from './import-record.ts';
import { parseJson } from './json-text.ts';
import type { NodeRecord } from './record.ts';

/** A record has at most 4 KiB; the older system's JSON of one says several things twice. */
const MAX_NODE_DATA_BYTES = 32 * 1024;
/** The record, its list of addresses; some to spare for what is dropped. */
const MAX_NODE_DATA_DEPTH = 8;

/**
 * Clocks of the older nodes may be a little ahead of the leader's that writes BASE. Not by more than a submitter's may: the
 * chain begins no earlier than its records, and blocks of a far future would refuse every event as too old.
 */
export function rulesAtBase(genesis: Pick<Genesis, 'parameters' | 'validators'>, timeSeconds: number): ImportRules {
  return {
    referenceTimeSeconds: timeSeconds,
    futureSlackSeconds: MAX_SUBMITTER_SKEW_SECONDS,
    // What the older system says of stakes was attested by nobody.
    staked: new Set(),
    validators: new Set(genesis.validators.map(({ peerId }) => peerId)),
    eventSchema: genesis.parameters.eventSchema,
  };
}

/**
 * Refusals: `legacy-key-not-a-peer`, `legacy-key-of-another-peer`, those of `parseJson` and of `importRecord`.
 *
 * @param value well-formed JSON, in bytes that may be no UTF-8
 */
export function legacyRecord(key: string, value: Uint8Array, rules: ImportRules): Result<NodeRecord> {
  const identity = parsePeerId(key);
  if (!identity.ok || identity.value.peerId !== key) {
    // One node has one canonical peer id, hence one key, hence one value that can become its record.
    return refuse('legacy-key-not-a-peer', 'the key is not a canonical peer id', { key: key.slice(0, 64) });
  }
  const fields = nodeDataOf(value);
  if (!fields.ok) return fields;
  const imported = importRecord(fields.value, rules);
  if (!imported.ok) return imported;
  const { record } = imported.value;
  if (record.peerId !== key) {
    return refuse('legacy-key-of-another-peer', 'the key is the peer id of another node than the value', {
      key,
      peerId: record.peerId,
    });
  }
  return { ok: true, value: record };
}

function nodeDataOf(value: Uint8Array): Result<Fields> {
  const bounded = parseJson(value, { maxBytes: MAX_NODE_DATA_BYTES, maxDepth: MAX_NODE_DATA_DEPTH });
  if (!bounded.ok) return bounded;
  if (typeof bounded.value !== 'object' || bounded.value === null || Array.isArray(bounded.value)) {
    return refuse('record-malformed', 'a record is a JSON object');
  }
  // Read again, now that its depth is known: this reading is as deep on the stack as the value is.
  const exact = parseWithExactIntegers(textFromUtf8(value));
  return exact.ok ? { ok: true, value: exact.value as Fields } : exact;
}
