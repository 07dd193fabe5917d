/** The end of a join: the chunks that were fetched become the ledger, and the snapshot one that this node serves too. */
import type { SnapshotName } from '../../ledger/snapshot-offer.ts';
import type { TrustedChain } from '../../ledger/trusted-chain.ts';
import type { Logger } from '../../observability/log.ts';
import type { SignatureScheme } from '../../qc/scheme.ts';
import type { NodeConfig } from '../config.ts';
import type { JoinStaging } from './join-staging.ts';

export interface RestoreJoinedOptions {
  readonly config: NodeConfig;
  readonly log: Logger;
  readonly scheme: SignatureScheme;
  readonly staging: JoinStaging;
  readonly trusted: TrustedChain;
  readonly of: SnapshotName;
}

export async function restoreJoined(_options: RestoreJoinedOptions): Promise<void> {
  await Promise.reject(new Error('to come'));
}
