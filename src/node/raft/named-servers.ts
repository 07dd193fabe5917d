/**
 * Who is taken at his word although the log does not name him: the servers of the configuration, those that the operator
 * named on this machine (`hotledger raft join`), and those of the signed list.
 */
import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { codedError } from '../../base/result.ts';
import type { KnownServer } from '../../raft/sender.ts';
import { ClusterListFile } from './cluster-list.ts';
import type { RaftConfig } from './raft-config.ts';

const name = z.string().min(1).max(512);
const namedFile = z.strictObject({ servers: z.array(z.strictObject({ id: name, address: name })).max(1024) });

export class NamedServers {
  readonly list: ClusterListFile;
  readonly #configured: readonly KnownServer[];
  readonly #path: string;
  #named: readonly KnownServer[];

  private constructor(
    list: ClusterListFile,
    configured: readonly KnownServer[],
    path: string,
    named: readonly KnownServer[],
  ) {
    this.list = list;
    this.#configured = configured;
    this.#path = path;
    this.#named = named;
  }

  /** @throws CodedError those of `ClusterListFile.open`, `raft-list-malformed` */
  static async open(directory: string, { cluster, operators }: RaftConfig): Promise<NamedServers> {
    const list = await ClusterListFile.open(join(directory, 'cluster.json'), operators);
    const path = join(directory, 'named.json');
    return new NamedServers(list, cluster, path, await namedIn(path));
  }

  /** The signed list last: of two addresses of one server, the one that the operator wrote here counts first. */
  all(): readonly KnownServer[] {
    return [...this.#named, ...this.#configured, ...(this.list.list?.servers ?? [])];
  }

  /** From now on, and after a restart. */
  async name(servers: readonly KnownServer[]): Promise<void> {
    const kept = this.#named.filter(({ id }) => !servers.some((server) => server.id === id));
    const named = [...kept, ...servers.map(({ address, id }) => ({ id, address }))];
    const part = `${this.#path}.part`;
    const file = await open(part, 'w', 0o600);
    try {
      await file.writeFile(`${JSON.stringify({ servers: named }, null, 2)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(part, this.#path);
    this.#named = named;
  }
}

async function namedIn(path: string): Promise<readonly KnownServer[]> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '{"servers":[]}';
    throw error;
  });
  try {
    return namedFile.parse(JSON.parse(text)).servers;
  } catch (error) {
    throw codedError('raft-list-malformed', `${path} is no list of servers`, { path }, { cause: error });
  }
}
