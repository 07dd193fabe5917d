/** The recovery of a stopped member, with its ledger and its files. */
import { codedError } from '../../base/result.ts';
import type { Configuration } from '../../raft/messages.ts';
import type { KnownServer } from '../../raft/sender.ts';
import type { NodeConfig } from '../config.ts';
import { readGenesisFile } from '../genesis-file.ts';
import { loadIdentityKey } from '../keys.ts';
import { openStore } from '../open-store.ts';
import { openMember, selfOf } from './open-member.ts';
import { backUp, recoverServer, type Recovery } from './recover.ts';

/**
 * @param voters of the new cluster
 * @throws CodedError `not-a-raft-node`, `store-locked` while the member runs, and those of `recoverServer`
 */
export async function recoverMember(
  config: NodeConfig,
  voters: readonly KnownServer[],
): Promise<Recovery & { readonly backup: string }> {
  const { raft } = config;
  if (raft === undefined) throw codedError('not-a-raft-node', 'the configuration has no section "raft"');
  const genesis = await readGenesisFile(config.genesis);
  const { peerId } = await loadIdentityKey(config);
  // Nobody has it open while it is copied.
  const store = await openStore(config.dataDirectory, { create: false });
  await store.close();
  const backup = await backUp(config.dataDirectory);
  const outlets = { committed: () => undefined, replacing: async () => undefined, replaced: async () => undefined };
  const member = await openMember({ ...config, raft }, genesis, { create: false, outlets });
  try {
    const configuration: Configuration = { servers: voters.map((voter) => ({ ...voter, suffrage: 'voter' })) };
    const recovery = await recoverServer(selfOf(raft, peerId).id, configuration, { ...member, machine: member.ledger });
    return { ...recovery, backup };
  } finally {
    await member.store.close();
  }
}
