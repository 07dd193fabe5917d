/** Verified reads without a data directory: all that is trusted is the genesis. */
import { unwrap, type Result } from '../base/result.ts';
import type { Genesis } from '../ledger/genesis.ts';
import { trustGenesis } from '../ledger/trusted-chain.ts';
import { createHost, type Host, type PeerTarget } from '../net/host.ts';
import { read } from '../net/read.ts';
import { loadDefaultScheme } from '../qc/default-scheme.ts';
import type { AddressBook } from './address-book.ts';
import { generateIdentityKey } from './keys.ts';
import type { ReadReport } from './read-report.ts';
import { peerSource, VerifiedReader, type ReadSource, type VerifiedReadOptions } from './verified-reader.ts';

export interface LightReaderOptions {
  readonly genesis: Genesis;
  readonly addresses: AddressBook;
  /** Ask only these; empty: every peer that is known. */
  readonly named: readonly PeerTarget[];
}

export interface LightReader {
  /** Refusals as `VerifiedReader.read`. */
  read(peerId: string, options: VerifiedReadOptions): Promise<Result<ReadReport>>;
  close(): Promise<void>;
}

/** @throws CodedError what `trustGenesis` refuses */
export async function openLightReader(options: LightReaderOptions): Promise<LightReader> {
  const { genesis, addresses, named } = options;
  const { scheme } = await loadDefaultScheme();
  const trusted = unwrap(trustGenesis(genesis, scheme));
  // A key for this one visit: a reader is nobody in particular.
  const identity = generateIdentityKey('ed25519');
  const host = await createHost({
    identity: { kind: 'protobuf', bytes: identity.protobuf },
    listen: [],
    chainId: trusted.chainId,
  });
  const reader = new VerifiedReader({ trusted, parameters: genesis.parameters, scheme, nowMs: () => Date.now() });
  return {
    read: (peerId, readOptions) => {
      const targets = named.length > 0 ? named : knownTargets(addresses);
      return reader.read(
        peerId,
        targets.map((target) => sourceOf(host, target)),
        readOptions,
      );
    },
    close: () => host.stop(),
  };
}

function knownTargets(addresses: AddressBook): PeerTarget[] {
  return addresses.peers().map((peerId) => ({ peerId, multiaddrs: addresses.of(peerId) }));
}

function sourceOf(host: Host, target: PeerTarget): ReadSource {
  return peerSource(target, (to, peerId, deadlineMs) =>
    read(host, to, { kind: 'records', peerIds: [peerId], withAge: true }, { deadlineMs }),
  );
}
