/** What a verified read found, as it is printed and as it crosses the control socket. */
import type { NodeData } from '../ledger/record-view.ts';

export interface ReadReport {
  readonly verified: true;
  readonly chainId: string;
  readonly peerId: string;
  /** null: the record is proven absent. */
  readonly node: NodeData | null;
  /** The last sequence number of the node that the state holds; null: it never had one. */
  readonly lastSeq: number | null;
  /** Height whose state the record was proven in. */
  readonly height: number;
  /** How old the proven head is, by what validators state; null: unknown. */
  readonly ageMs: number | null;
  /** Peer ids of the validators behind the certificate. */
  readonly signers: readonly string[];
  /** Size of the validator set. */
  readonly validators: number;
  readonly trust: 'byzantine' | 'crash-only';
  /** Peer id of whom the bytes came from, or `dht`. */
  readonly servedBy: string;
}
