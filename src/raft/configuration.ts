/**
 * Configurations: who is in one, and which of those in the log is in force.
 *
 * A server uses the latest configuration in its log, committed or not (Raft, section 6). So the ones that are not
 * committed are remembered with the one before them: when the log is cut, the one before is in force again.
 */
import { assert } from '../base/assert.ts';
import { refuse, ok, type Result } from '../base/result.ts';
import type { Configuration, LoggedConfiguration, Server, ServerAddress, ServerId } from './messages.ts';

/** Of a server that has not heard of any. */
const NO_CONFIGURATION: LoggedConfiguration = { index: 0, configuration: { servers: [] } };

export function serverOf({ servers }: Configuration, id: ServerId): Server | undefined {
  return servers.find((server) => server.id === id);
}

export function serverAt({ servers }: Configuration, address: ServerAddress): Server | undefined {
  return servers.find((server) => server.address === address);
}

export function isVoter(configuration: Configuration, id: ServerId): boolean {
  return serverOf(configuration, id)?.suffrage === 'voter';
}

export function votersOf({ servers }: Configuration): Server[] {
  return servers.filter(({ suffrage }) => suffrage === 'voter');
}

/** How many of the voters are a majority of them. */
export function majorityOf(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

/** What hashicorp/raft checks of every configuration (`checkConfiguration`). */
export function checkConfiguration({ servers }: Configuration): Result<null> {
  const ids = new Set<ServerId>();
  const addresses = new Set<ServerAddress>();
  for (const { id, address } of servers) {
    if (id === '' || address === '')
      return refuse('raft-configuration-invalid', 'a server has an id and an address', { id, address });
    if (ids.has(id)) return refuse('raft-configuration-invalid', 'a server is there once', { id });
    if (addresses.has(address))
      return refuse('raft-configuration-invalid', 'two servers do not share an address', { id, address });
    ids.add(id);
    addresses.add(address);
  }
  if (!servers.some(({ suffrage }) => suffrage === 'voter'))
    return refuse('raft-configuration-invalid', 'a cluster has at least one voter', { servers: servers.length });
  return ok(null);
}

export class Configurations {
  /** Ascending. The first is committed where any is; the others are not known to be. */
  #logged: LoggedConfiguration[];
  #committedIndex = 0;

  constructor(logged: readonly LoggedConfiguration[], commitIndex: number) {
    this.#logged = logged.length === 0 ? [NO_CONFIGURATION] : [...logged];
    this.committed(commitIndex);
  }

  /** In force. */
  get latest(): LoggedConfiguration {
    return this.#logged.at(-1) ?? NO_CONFIGURATION;
  }

  get committedOne(): LoggedConfiguration {
    const first = this.#logged[0] ?? NO_CONFIGURATION;
    return first.index <= this.#committedIndex ? first : NO_CONFIGURATION;
  }

  get isLatestCommitted(): boolean {
    return this.latest.index <= this.#committedIndex;
  }

  /** In force, or committed and replaced by one that is not: those who lead or vote now may be of either. */
  knows(id: ServerId): boolean {
    return this.#logged.some(({ configuration }) => serverOf(configuration, id) !== undefined);
  }

  /** A voter before the configuration in force, which is not committed and may be taken back. */
  wasVoterBefore(id: ServerId): boolean {
    return !this.isLatestCommitted && this.#logged.some(({ configuration }) => isVoter(configuration, id));
  }

  append(configuration: LoggedConfiguration): void {
    assert(configuration.index > this.latest.index, 'configurations ascend', {
      index: configuration.index,
      latest: this.latest.index,
    });
    this.#logged.push(configuration);
  }

  /** Entries from this index on are gone. @returns whether another configuration is in force now */
  truncateFrom(index: number): boolean {
    const before = this.#logged.length;
    this.#logged = this.#logged.filter((logged) => logged.index < index);
    if (this.#logged.length === 0) this.#logged = [NO_CONFIGURATION];
    return this.#logged.length < before;
  }

  /** @returns whether the configuration in force became a committed one by this */
  committed(commitIndex: number): boolean {
    const wasCommitted = this.isLatestCommitted;
    this.#committedIndex = Math.max(this.#committedIndex, commitIndex);
    while (this.#logged.length > 1 && (this.#logged[1] as LoggedConfiguration).index <= commitIndex)
      this.#logged.shift();
    return !wasCommitted && this.isLatestCommitted;
  }

  /** A snapshot brought its own: in force, and committed. */
  replace(configuration: LoggedConfiguration, commitIndex: number): void {
    this.#logged = [configuration];
    this.#committedIndex = commitIndex;
  }
}
