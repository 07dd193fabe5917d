/** What the host names of servers' addresses stand for, looked up beforehand: who sent a request is judged at once. */
import { lookup } from 'node:dns/promises';
import { isIP, isIPv6, SocketAddress } from 'node:net';
import { hostPortOf } from '../../base/host-port.ts';
import type { ServerAddress } from '../../raft/messages.ts';

/** @returns the IP addresses that a name stands for; rejects where it is not found */
export type LookUp = (name: string) => Promise<readonly string[]>;

/** Whoever is refused may have moved, or may be anybody: names are looked up for them once in this time. */
const LOOK_AGAIN_MS = 5000;

export class HostNames {
  readonly #lookUp: LookUp;
  readonly #nowMs: () => number;
  #known: ReadonlyMap<string, readonly string[]> = new Map();
  #refreshes = 0;
  #refreshedAtMs = -Infinity;

  constructor(lookUp: LookUp = inDns, nowMs: () => number = () => performance.now()) {
    this.#lookUp = lookUp;
    this.#nowMs = nowMs;
  }

  /** For `KnownServers`. Of an IP address it is that, in its usual form; of a name that was not looked up, nothing. */
  readonly ipsOf = (host: string): readonly string[] => {
    if (isIP(host) === 0) return this.#known.get(host) ?? [];
    return [isIPv6(host) ? new SocketAddress({ address: host, family: 'ipv6' }).address : host];
  };

  /** Looks up the names of these addresses, and forgets all others. A name that is not found keeps what it stood for. */
  async refresh(addresses: readonly ServerAddress[]): Promise<void> {
    const number = ++this.#refreshes;
    this.#refreshedAtMs = this.#nowMs();
    const hosts = new Set(addresses.flatMap((address) => hostPortOf(address)?.host ?? []));
    const names = [...hosts].filter((host) => isIP(host) === 0);
    const found = await Promise.all(names.map(async (name) => [name, await this.#found(name)] as const));
    // One that began later knows better, however long this one took.
    if (number === this.#refreshes) this.#known = new Map(found);
  }

  /** A sender is not where its name was found: it may have moved. Looks at most once in five seconds, and not at once. */
  async lookAgain(addresses: readonly ServerAddress[]): Promise<void> {
    if (this.#nowMs() - this.#refreshedAtMs >= LOOK_AGAIN_MS) await this.refresh(addresses);
  }

  async #found(name: string): Promise<readonly string[]> {
    try {
      return await this.#lookUp(name);
    } catch {
      return this.#known.get(name) ?? [];
    }
  }
}

async function inDns(name: string): Promise<readonly string[]> {
  return (await lookup(name, { all: true })).map(({ address }) => address);
}
