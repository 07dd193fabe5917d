/** What a verified read found, as it is printed and as it crosses the control socket. */
import type { ChainParameters } from '../ledger/parameters.ts';
import type { NodeRecord } from '../ledger/record.ts';
import { deriveNodeData, type NodeData } from '../ledger/record-view.ts';
import type { VerifiedRead } from '../ledger/verified-read.ts';
import type { ValidatorSet } from '../qc/validator-set.ts';

export interface ReadReport {
  /** Against what the reader holds. False under Raft: it is the word of `servedBy` (`trust`), and the proof only fits it. */
  readonly verified: boolean;
  readonly chainId: string;
  readonly peerId: string;
  /** null: the record is proven absent. */
  readonly node: NodeData | null;
  /** The last sequence number in the record; null: no record. */
  readonly lastSeq: number | null;
  /** `event`: its node signed for it. `import`: it was taken over from the older network, and nobody did. Null: no record. */
  readonly origin: NodeRecord['origin'] | null;
  /** Height whose state the record was proven in, and that block's time, unix seconds. */
  readonly height: number;
  readonly timestamp: number;
  /** How old the proven head is at most, by what validators state; null: unknown. */
  readonly ageMs: number | null;
  /** Peer ids of the validators behind the certificate. */
  readonly signers: readonly string[];
  /** Size of the validator set. */
  readonly validators: number;
  readonly trust: VerifiedRead['trust'];
  /** Peer id of whom the bytes came from, or `dht`. */
  readonly servedBy: string;
  /** What was kept in the DHT, where it was looked for there; null: it was not needed. */
  readonly hint: { readonly height: number; readonly lastSeq: number | null } | null;
}

export interface ReportContext {
  readonly chainId: string;
  readonly validators: ValidatorSet;
  readonly parameters: Pick<ChainParameters, 'livenessWindowSeconds'>;
  readonly nowMs: number;
}

export function readReport(read: VerifiedRead, servedBy: string, context: ReportContext): ReadReport {
  const { peerId, record, height, timestamp, ageMs, signers, trust } = read;
  const { chainId, validators, parameters, nowMs } = context;
  const reader = {
    nowSeconds: Math.floor(nowMs / 1000),
    isValidator: validators.indexOf(peerId) !== undefined,
    parameters,
  };
  return {
    verified: trust !== 'crash-only',
    chainId,
    peerId,
    node: record === null ? null : deriveNodeData(record, reader),
    lastSeq: record?.lastSeq ?? null,
    origin: record?.origin ?? null,
    height,
    timestamp,
    ageMs,
    signers,
    validators: validators.n,
    trust,
    servedBy,
    hint: null,
  };
}
