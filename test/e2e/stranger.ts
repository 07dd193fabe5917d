/** A peer in the test's own process that belongs to nobody: it speaks every protocol, and keeps to none of the rules. */
import { onTestFinished } from 'vitest';
import { ok } from '../../src/base/result.ts';
import { createHost, type Host, type HostOptions } from '../../src/net/host.ts';
import { recordRules } from '../../src/net/record-rules.ts';
import { generateIdentityKey, type IdentityKey } from '../../src/node/keys.ts';
import type { TestNetwork } from './harness.ts';

export interface StrangerOptions extends Pick<HostOptions, 'gossip' | 'dht'> {
  /** Default: a key that nobody has seen before. */
  readonly key?: IdentityKey;
  /** Whether others can dial it. */
  readonly listens?: boolean;
}

/** Stopped after the test. */
export async function stranger(network: TestNetwork, options: StrangerOptions = {}): Promise<Host> {
  const { key = generateIdentityKey('ed25519'), listens = false, ...services } = options;
  const host = await createHost({
    identity: key.protobuf,
    listen: listens ? ['/ip4/127.0.0.1/tcp/0'] : [],
    chainId: network.chainId,
    ...services,
  });
  onTestFinished(() => host.stop());
  return host;
}

/** A client of the DHT that believes and passes on everything. */
export function carelessDht(): NonNullable<HostOptions['dht']> {
  const rules = recordRules({ check: () => ok(0), heights: { get: () => undefined, put: () => Promise.resolve() } });
  return { mode: 'client', records: { ...rules, admit: () => Promise.resolve() } };
}
