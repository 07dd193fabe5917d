/** What the host names of servers' addresses stand for, looked up beforehand: who sent a request is judged at once. */
import { lookup } from 'node:dns/promises';
import { isIP, isIPv6, SocketAddress } from 'node:net';
import { hostPortOf } from '../../base/host-port.ts';
import type { ServerAddress } from '../../raft/messages.ts';

export class HostNames {
  #known: ReadonlyMap<string, readonly string[]> = new Map();

  /** For `KnownServers`. Of an IP address it is that, in its usual form; of a name that was not looked up, nothing. */
  readonly ipsOf = (host: string): readonly string[] => {
    if (isIP(host) === 0) return this.#known.get(host) ?? [];
    return [isIPv6(host) ? new SocketAddress({ address: host, family: 'ipv6' }).address : host];
  };

  /** Looks up the names of these addresses, and forgets all others. A name that is not found keeps what it stood for. */
  async refresh(addresses: readonly ServerAddress[]): Promise<void> {
    const hosts = new Set(addresses.flatMap((address) => hostPortOf(address)?.host ?? []));
    const names = [...hosts].filter((host) => isIP(host) === 0);
    const found = await Promise.all(names.map(async (name) => [name, await this.#lookUp(name)] as const));
    this.#known = new Map(found);
  }

  async #lookUp(name: string): Promise<readonly string[]> {
    try {
      return (await lookup(name, { all: true })).map(({ address }) => address);
    } catch {
      return this.#known.get(name) ?? [];
    }
  }
}
