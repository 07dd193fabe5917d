/**
 * Where validators can be dialled: addresses by peer id, from the genesis, from `bootstrap` in the configuration, and
 * from address files that nodes on one machine write once they listen. The files are what lets a whole network run on
 * port 0: nobody picks a port before the operating system gave it, and a restarted node is found on its new one.
 */
import { readFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import type { Genesis } from '../ledger/genesis.ts';
import type { NodeConfig } from './config.ts';

/** Addresses kept for one peer; more are cut off. */
const MAX_ADDRESSES = 16;

const addressFile = z.object({
  peerId: z.string().max(64),
  pid: z.number().int(),
  addresses: z.array(z.string().max(256)).max(MAX_ADDRESSES),
});

/** Content of an address file: who listens where, and as which process. */
export type AddressFile = z.infer<typeof addressFile>;

export class AddressBook {
  readonly #fixed = new Map<string, Set<string>>();
  readonly #files: readonly string[];

  /**
   * @param known multiaddrs, by the peer id that they lead to
   * @param bootstrap multiaddrs that end in `/p2p/<peer id>`
   * @param files address files of nodes on this machine, read again at each look-up
   */
  constructor(known: ReadonlyMap<string, readonly string[]>, bootstrap: readonly string[], files: readonly string[]) {
    for (const [peerId, addresses] of known) for (const address of addresses) this.#add(peerId, address);
    for (const address of bootstrap) {
      const peerId = peerIdOfAddress(address);
      if (peerId !== undefined) this.#add(peerId, address);
    }
    this.#files = files;
  }

  /** Addresses to try for a peer, each ending in `/p2p/<peer id>`, those of a live process on this machine first. */
  of(peerId: string): readonly string[] {
    const live = this.#files
      .map(readAddressFile)
      .filter((file) => file?.peerId === peerId)
      .flatMap((file) => file?.addresses ?? []);
    const all = new Set([...live, ...(this.#fixed.get(peerId) ?? [])].map((address) => withPeerId(address, peerId)));
    return [...all].slice(0, MAX_ADDRESSES);
  }

  /** Every peer that has an address now. */
  peers(): readonly string[] {
    const live = this.#files.map(readAddressFile).flatMap((file) => (file === undefined ? [] : [file.peerId]));
    return [...new Set([...live, ...this.#fixed.keys()])];
  }

  #add(peerId: string, address: string): void {
    const known = this.#fixed.get(peerId) ?? new Set<string>();
    known.add(withPeerId(address, peerId));
    this.#fixed.set(peerId, known);
  }
}

/** Of those that the genesis and the configuration name. */
export function addressBookOf(
  { addressFiles, bootstrap }: Pick<NodeConfig, 'addressFiles' | 'bootstrap'>,
  { validators }: Pick<Genesis, 'validators'>,
): AddressBook {
  const known = new Map(validators.map(({ peerId, multiaddrs }) => [peerId, multiaddrs]));
  return new AddressBook(known, bootstrap, addressFiles);
}

/** Tells others on this machine where this process listens. Replaced as a whole, so that nobody reads half of it. */
export async function writeAddressFile(path: string, content: AddressFile): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${content.pid}.tmp`;
  await writeFile(draft, `${JSON.stringify(content)}\n`, { mode: 0o600 });
  await rename(draft, path);
}

/** @returns undefined when the file is absent or is not an address file: its node has not started yet */
export function readAddressFile(path: string): AddressFile | undefined {
  try {
    return addressFile.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return undefined;
  }
}

/** The peer id at the end of a multiaddr, or undefined. */
export function peerIdOfAddress(address: string): string | undefined {
  return /\/p2p\/([^/]+)$/.exec(address)?.[1];
}

function withPeerId(address: string, peerId: string): string {
  return peerIdOfAddress(address) === undefined ? `${address}/p2p/${peerId}` : address;
}
