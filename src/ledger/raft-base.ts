/**
 * BASE: the entry of the log at which a Raft cluster becomes a chain of blocks. Before it there is what the older
 * system's state machines hold; at it the first block is made, of the genesis that the operators gave and of that state:
 *
 *     parameters, validators, records of the genesis
 *     records                 from the older system's nodeData that passes the rules of import (`legacy-record.ts`)
 *     legacy/ key             every value of the older system, whether it became a record or not
 *
 * Its state root covers all of it. A record of the genesis stands before one that the cluster held: the chain's id names the
 * genesis, and the operators made it knowing the cluster.
 */
import { sha256Hex, ZERO_HASH } from '../base/hash.ts';
import type { Result } from '../base/result.ts';
import { makeBlock, type SealedBlock } from './block.ts';
import type { BaseRecord } from './control-record.ts';
import { chainIdOf, type Genesis } from './genesis.ts';
import { firstState } from './genesis-state.ts';
import { checkRecordInvariants } from './invariants.ts';
import { legacyRecord, rulesAtBase } from './legacy-record.ts';
import { legacyChange, type LegacyState } from './legacy-state.ts';
import { firstLogHash, NO_CONTROLS, type LogPosition } from './log-hash.ts';
import { encodeRaftSeal, RAFT_EPOCH } from './raft-seal.ts';
import { nodeEntryCodec, type NodeRecord } from './record.ts';
import type { TreeVersion } from './state-tree.ts';
import { nodeKey, type StateChange } from './state.ts';

export interface AtBase {
  readonly genesis: Genesis;
  /** Its tree becomes that of the ledger. */
  readonly legacy: LegacyState;
  readonly record: BaseRecord;
  readonly position: LogPosition;
  /** The entry's own: the encoded record. */
  readonly data: Uint8Array;
}

export interface FirstBlock {
  readonly sealed: SealedBlock;
  /** The whole first state, as changes to an empty one. */
  readonly changes: readonly StateChange[];
  /** Of the legacy state's tree. */
  readonly version: TreeVersion;
  /** Values of the older system that became records. */
  readonly imported: number;
}

/** Takes about 60 us a record, and 20 us any other value. */
export function firstBlockAtBase({ data, genesis, legacy, position, record }: AtBase): FirstBlock {
  const records = recordsOf(genesis, legacy, record.timeSeconds);
  const own = [
    ...firstState(genesis),
    ...records.map((each) => ({ key: nodeKey(each.peerId), value: nodeEntryCodec.encode(each) })),
  ];
  const before = legacy.version;
  const version = legacy.tree.update(before, own);
  legacy.tree.retire(before);
  const chainId = chainIdOf(genesis);
  const { root: stateRoot } = version;
  const { index, term } = position;
  const block = makeBlock(
    {
      chainId,
      epoch: RAFT_EPOCH,
      round: index,
      height: 0,
      parentId: ZERO_HASH,
      justifyDigest: firstLogHash({ chainId, index, term, stateRoot }),
      proposer: '',
      // Times never go back: the chain begins no earlier than anything that it holds.
      timestamp: records.reduce(
        (latest, { lastUpdated }) => Math.max(latest, lastUpdated),
        Math.max(genesis.timestamp, record.timeSeconds),
      ),
      stateRoot,
      nextValidatorSet: null,
    },
    [],
  );
  const seal = encodeRaftSeal({ index, term, controls: NO_CONTROLS, data: sha256Hex(data), carried: data });
  const values = Array.from(legacy.values, ([key, value]) => legacyChange({ operation: 'set', key, value }));
  return { sealed: { block, seal }, changes: [...own, ...values], version, imported: records.length };
}

function recordsOf(genesis: Genesis, legacy: LegacyState, timeSeconds: number): readonly NodeRecord[] {
  const rules = rulesAtBase(genesis, timeSeconds);
  const ofGenesis = new Set(genesis.records.map(({ peerId }) => peerId));
  const records: NodeRecord[] = [];
  for (const [key, value] of legacy.values) {
    if (ofGenesis.has(key)) continue;
    const record: Result<NodeRecord> = legacyRecord(key, value, rules);
    if (!record.ok) continue;
    checkRecordInvariants(record.value);
    records.push(record.value);
  }
  return records;
}
