/** The actions of a quorum: which value each replaces, and what it does once it is decided. */
import { concatBytes, utf8 } from '../base/bytes.ts';
import { codec, struct, text, uint, uint64 } from '../base/codec.ts';
import { sha256Hex, ZERO_HASH, type Hash } from '../base/hash.ts';
import { ok, refuse, type Result } from '../base/result.ts';
import type { BlockContext } from './block-context.ts';
import { readEntry, writeEntry } from './entries.ts';
import type { QuorumAction } from './event-schema.ts';
import { MAX_PEER_ID_LENGTH } from './identity.ts';
import { NEWEST_EVENT_SCHEMA, parameterScheduleCodec, parametersAt, type ChainParameters } from './parameters.ts';
import { NANOSECONDS, stakeCodec, type NodeRecord } from './record.ts';
import { PARAMETERS_KEY, type Overlay, type StateReader } from './state.ts';

const REPLACED_TAG = 'hotledger/replaced/1\n';

/** What `nodeRemoved` replaces: this registration, so that a node that joined anew is not removed by an old decision. */
const registrationCodec = codec(
  struct<Pick<NodeRecord, 'peerId' | 'firstJoined'>>({ peerId: text(MAX_PEER_ID_LENGTH), firstJoined: uint() }),
  128,
);

const workerTimeoutCodec = codec(uint64, 16);

/**
 * The digest that a proposal of this action carries as `replaces`: of the one value that it replaces, not of the
 * whole record, which each heartbeat changes. The zero hash when there is no such value yet.
 *
 * Refusals: `unknown-node`.
 */
export function replacedDigest(state: StateReader, action: QuorumAction): Result<Hash> {
  if (action.kind === 'parametersChanged' || action.kind === 'schemaActivated') {
    return ok(digestOf(action, state.get(PARAMETERS_KEY)));
  }
  const record = recordOf(state, action.peerId);
  return record.ok ? ok(digestOf(action, replacedValue(record.value, action.kind))) : record;
}

function replacedValue(
  record: NodeRecord,
  kind: 'stakeStatusChanged' | 'nodeRemoved' | 'workerTimeoutSet',
): Uint8Array | undefined {
  switch (kind) {
    case 'stakeStatusChanged':
      return record.stake === null ? undefined : stakeCodec.encode(record.stake);
    case 'nodeRemoved':
      return registrationCodec.encode(record);
    case 'workerTimeoutSet':
      return record.workerTimeoutNs === null ? undefined : workerTimeoutCodec.encode(record.workerTimeoutNs);
  }
}

function digestOf(action: QuorumAction, value: Uint8Array | undefined): Hash {
  return value === undefined ? ZERO_HASH : sha256Hex(concatBytes(utf8(`${REPLACED_TAG}${action.kind}\n`), value));
}

function recordOf(state: StateReader, peerId: string): Result<NodeRecord> {
  const entry = readEntry(state, peerId);
  return entry?.kind === 'record'
    ? ok(entry)
    : refuse('unknown-node', 'the ledger has no record of this node', { peerId });
}

/** What can be said against an action before anybody approves it. Refusals: `unknown-node`, `schema-unknown`. */
export function checkAction(state: StateReader, action: QuorumAction, height: number): Result<void> {
  if (action.kind === 'schemaActivated') {
    const { eventSchema } = parametersAt(state, height);
    if (action.schema > NEWEST_EVENT_SCHEMA || action.schema <= eventSchema) {
      return refuse('schema-unknown', 'not a newer event schema that this program knows', {
        schema: action.schema,
        active: eventSchema,
        newest: NEWEST_EVENT_SCHEMA,
      });
    }
    return ok(undefined);
  }
  if (action.kind === 'parametersChanged') return ok(undefined);
  const record = recordOf(state, action.peerId);
  return record.ok ? ok(undefined) : record;
}

/** The node whose record the action changes, if it changes one. */
export function targetOf(action: QuorumAction): string | undefined {
  return action.kind === 'parametersChanged' || action.kind === 'schemaActivated' ? undefined : action.peerId;
}

/** @param proposal event id of the proposal that was approved */
export function decide(overlay: Overlay, action: QuorumAction, proposal: Hash, context: BlockContext): Result<void> {
  if (action.kind === 'parametersChanged') return schedule(overlay, action.parameters, context.height);
  if (action.kind === 'schemaActivated') return schedule(overlay, { eventSchema: action.schema }, context.height);
  const record = recordOf(overlay, action.peerId);
  if (!record.ok) return record;
  const now = context.timestamp;
  const { peerId, lastSeq, lastEventId } = record.value;
  switch (action.kind) {
    case 'nodeRemoved':
      return writeEntry(overlay, { kind: 'absent', peerId, lastSeq, lastEventId });
    case 'stakeStatusChanged': {
      const stake = { isStaked: action.isStaked, attestedAt: now, proposal, reference: action.reference };
      return writeEntry(overlay, { ...record.value, stake, lastUpdated: now });
    }
    case 'workerTimeoutSet': {
      const workerTimeoutNs = action.workerTimeout === 0 ? null : BigInt(action.workerTimeout) * NANOSECONDS;
      return writeEntry(overlay, { ...record.value, workerTimeoutNs, lastUpdated: now });
    }
  }
}

/** From the next height on. */
function schedule(overlay: Overlay, change: Partial<ChainParameters>, height: number): Result<void> {
  const current = parametersAt(overlay, height);
  const next = { fromHeight: height + 1, parameters: { ...current, ...change } };
  overlay.set(PARAMETERS_KEY, parameterScheduleCodec.encode({ current, next }));
  return ok(undefined);
}
