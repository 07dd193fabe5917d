/**
 * The operator's list of the cluster, kept current while servers come and go: who comes is on it before, so that the
 * servers that are asked to take it in know it; who goes is on it until that is done.
 */
import { resolve } from 'node:path';
import type { ControlClient } from '../../node/control-client.ts';
import { loadIdentityKey } from '../../node/keys.ts';
import { signClusterList, type ClusterList } from '../../node/raft/cluster-list.ts';
import type { RaftChange, RaftReport } from '../../node/raft/operations.ts';
import type { NodeChoice } from '../options.ts';
import type { Terminal } from '../terminal.ts';

export interface ListOptions extends NodeChoice {
  readonly operatorKey?: string;
}

/** Without an operator's key the list stays as it is. */
export async function withKeptList<T>(
  client: ControlClient,
  change: RaftChange,
  { operatorKey }: ListOptions,
  terminal: Terminal,
  work: () => Promise<T>,
): Promise<T> {
  if (operatorKey === undefined) return work();
  const key = await loadIdentityKey({
    identityKeyFile: resolve(terminal.directory, operatorKey),
    identityKeyHex: null,
  });
  const replace = async (servers: ClusterList['servers']): Promise<void> => {
    const { history, list } = await client.raftReport();
    const version = (list?.version ?? 0) + 1;
    const signed = signClusterList({ version, history: history?.hash ?? list?.history ?? null, servers }, key);
    await client.raftReplaceList(signed);
  };
  const others = listedIn(await client.raftReport()).filter(({ id }) => id !== change.id);
  if ('address' in change) await replace([...others, { id: change.id, address: change.address }]);
  const result = await work();
  if (change.kind === 'remove') await replace(others);
  return result;
}

/** All that the cluster has, and all that the list had before. */
function listedIn({ list, servers }: RaftReport): ClusterList['servers'] {
  const present = servers.map(({ address, id }) => ({ id, address }));
  const more = (list?.servers ?? []).filter(({ id }) => !present.some((server) => server.id === id));
  return [...present, ...more];
}
