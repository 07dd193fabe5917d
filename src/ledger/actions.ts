/** The actions of a quorum: which value each replaces, and what it does once it is decided. */
import { concatBytes, utf8 } from '../base/bytes.ts';
import { codec, struct, text, uint, uint64 } from '../base/codec.ts';
import { sha256Hex, ZERO_HASH, type Hash } from '../base/hash.ts';
import { ok, refuse, type Result } from '../base/result.ts';
import type { BlockContext } from './block-context.ts';
import { readEntry, writeEntry } from './entries.ts';
import type { QuorumAction, SchemaActivated } from './event-schema.ts';
import { MAX_PEER_ID_LENGTH } from './identity.ts';
import { checkActivation, schemaActivationCodec } from './event-schema-at.ts';
import { parameterScheduleCodec, parametersAt, type ChainParameters } from './parameters.ts';
import { NANOSECONDS, stakeCodec, type NodeRecord } from './record.ts';
import { PARAMETERS_KEY, SCHEMA_KEY, type Overlay, type StateReader } from './state.ts';

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
  if (action.kind === 'parametersChanged') return ok(digestOf(action, state.get(PARAMETERS_KEY)));
  if (action.kind === 'schemaActivated') return ok(digestOf(action, state.get(SCHEMA_KEY)));
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

/**
 * What can be said against an action, when it is proposed and again when it is decided. Refusals: `unknown-node`, and those
 * of `checkActivation`.
 */
export function checkAction(state: StateReader, action: QuorumAction, height: number): Result<void> {
  if (action.kind === 'schemaActivated') return checkActivation(state, action, height);
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
  if (action.kind === 'schemaActivated') return activate(overlay, action, context.height);
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

/** Approvals may have come too late for the height that was proposed. */
function activate(overlay: Overlay, { schema, fromHeight }: SchemaActivated, height: number): Result<void> {
  const timely = checkActivation(overlay, { schema, fromHeight }, height);
  if (timely.ok) overlay.set(SCHEMA_KEY, schemaActivationCodec.encode({ schema, fromHeight }));
  return timely;
}

/** From the next height on. */
function schedule(overlay: Overlay, change: Partial<ChainParameters>, height: number): Result<void> {
  const current = parametersAt(overlay, height);
  const next = { fromHeight: height + 1, parameters: { ...current, ...change } };
  overlay.set(PARAMETERS_KEY, parameterScheduleCodec.encode({ current, next }));
  return ok(undefined);
}
