/**
 * Before a node with an empty data directory runs: it gets a state to begin from, of others, and puts it where a ledger
 * lies. What each step leaves on the disk says where the next run goes on:
 *
 *     nothing                              asks what there is
 *     joining/                             has begun a snapshot: goes on with what is kept
 *     joining/, a ledger half restored     has all of it: goes on restoring
 *     a ledger                             runs
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { unwrap } from '../../base/result.ts';
import type { JoinOutcome, JoinStatus } from '../../consensus/join-contract.ts';
import type { Genesis } from '../../ledger/genesis.ts';
import { checkChunk, checkManifest } from '../../ledger/snapshot-checks.ts';
import { verifyManifest } from '../../ledger/snapshot-manifest.ts';
import { trustGenesis, type TrustedChain } from '../../ledger/trusted-chain.ts';
import { createHost, type Host } from '../../net/host.ts';
import { SnapshotClient } from '../../net/snapshot-sync.ts';
import type { Logger } from '../../observability/log.ts';
import { loadDefaultScheme } from '../../qc/default-scheme.ts';
import type { SignatureScheme } from '../../qc/scheme.ts';
import { addressBookOf, type AddressBook } from '../address-book.ts';
import type { NodeConfig } from '../config.ts';
import { markFile } from '../first-signature.ts';
import { loadIdentityKey, type IdentityKey } from '../keys.ts';
import { ledgerDirectory } from '../open-ledger.ts';
import type { RunningNode } from '../status.ts';
import { JoinDriver } from './join-driver.ts';
import { JoinStaging } from './join-staging.ts';
import { joiningNode } from './joining-node.ts';
import { restoreJoined } from './restore-joined.ts';

export interface JoinFirstOptions {
  /** Aborted, the join ends with `join-stopped`. */
  readonly signal?: AbortSignal | undefined;
  /** Told when there is something to join, of a node that answers meanwhile. @returns what to do when it is over */
  readonly onJoining?: ((node: RunningNode) => Promise<() => Promise<void>>) | undefined;
}

/** How a node began. */
export interface Joined {
  readonly outcome: JoinOutcome;
  /** At the end of asking. */
  readonly status: JoinStatus;
}

/**
 * @returns null where there is a ledger already, or where it is to begin at genesis
 * @throws CodedError `join-stopped`, `join-write-failed`, and those of restoring
 */
export async function joinFirst(
  config: NodeConfig,
  genesis: Genesis,
  log: Logger,
  options: JoinFirstOptions,
): Promise<Joined | null> {
  const staging = new JoinStaging(config.dataDirectory);
  if (config.join.from === 'genesis') return null;
  const isBegun = await staging.isThere();
  if (!isBegun && (await hasLedger(config.dataDirectory))) return null;
  const identity = await loadIdentityKey(config);
  const addresses = addressBookOf(config, genesis);
  const patienceMs = await patienceOf(config);
  const others = (): string[] => addresses.peers().filter((peerId) => peerId !== identity.peerId);
  if (!isBegun && patienceMs === 0 && others().length === 0) return null;
  const { scheme } = await loadDefaultScheme();
  const trusted = unwrap(trustGenesis(genesis, scheme));
  const join = new Join({ config, log, staging, identity, addresses, others, patienceMs, scheme, trusted });
  return join.run(options);
}

interface JoinParts {
  readonly config: NodeConfig;
  readonly log: Logger;
  readonly staging: JoinStaging;
  readonly identity: IdentityKey;
  readonly addresses: AddressBook;
  readonly others: () => readonly string[];
  readonly patienceMs: number;
  readonly scheme: SignatureScheme;
  readonly trusted: TrustedChain;
}

class Join {
  readonly #parts: JoinParts;
  readonly #stopped = new AbortController();
  readonly #startedAtMs = Date.now();
  #isRestoring = false;

  constructor(parts: JoinParts) {
    this.#parts = parts;
  }

  async run({ onJoining, signal }: JoinFirstOptions): Promise<Joined> {
    const { config, identity, trusted } = this.#parts;
    // For questions only: the host that listens comes with the ledger.
    const host = await createHost({ identity: identity.protobuf, listen: [], chainId: trusted.chainId });
    try {
      const driver = await this.#driver(host, signal);
      const close = await onJoining?.(
        joiningNode({
          config,
          chainId: trusted.chainId,
          peerId: identity.peerId,
          startedAtMs: this.#startedAtMs,
          nowMs: () => Date.now(),
          peers: () => host.connections().length,
          join: () => ({ ...driver.status(), ...(this.#isRestoring && { phase: 'restoring' }) }),
          stop: () => this.#stopped.abort(),
        }),
      );
      try {
        return await this.#joined(driver);
      } finally {
        await close?.();
      }
    } finally {
      await host.stop();
    }
  }

  async #driver(host: Host, signal: AbortSignal | undefined): Promise<JoinDriver> {
    const { addresses, log, others, patienceMs, scheme, staging, trusted } = this.#parts;
    return new JoinDriver({
      client: SnapshotClient.over(host),
      checks: {
        manifest: (of, bytes) => checkManifest(of, bytes, trusted, scheme),
        chunk: (of, index, bytes) => checkChunk(of, index, bytes),
      },
      staging,
      started: await staging.load((bytes) => verifyManifest(bytes, trusted, scheme)),
      servers: others,
      target: (peerId) => ({ peerId, multiaddrs: addresses.of(peerId) }),
      patienceMs,
      nowMs: () => Date.now(),
      log,
      signal: AbortSignal.any([this.#stopped.signal, ...(signal === undefined ? [] : [signal])]),
    });
  }

  async #joined(driver: JoinDriver): Promise<Joined> {
    const { config, log, scheme, staging, trusted } = this.#parts;
    const outcome = await driver.run();
    const status = driver.status();
    if (outcome.kind === 'genesis') {
      log.info({ because: outcome.because }, 'no snapshot to begin from: begins at genesis, and takes every block');
      await staging.discard();
      return { outcome, status };
    }
    const { height } = outcome.of;
    this.#isRestoring = true;
    log.info({ height, bytes: status.bytes, chunks: status.chunks }, 'has the snapshot, and puts it into the ledger');
    await restoreJoined({ config, log, scheme, staging, trusted, of: outcome.of });
    log.info({ height, tookMs: Date.now() - this.#startedAtMs }, 'begins at the height of the snapshot');
    return { outcome, status };
  }
}

/** LevelDB's own file, which is there from the first moment on. */
async function hasLedger(dataDirectory: string): Promise<boolean> {
  return stat(join(ledgerDirectory(dataDirectory), 'CURRENT')).then(
    () => true,
    () => false,
  );
}

/**
 * How long to wait for somebody who answers. A validator whose key never signed may be one of those that begin the
 * network: whoever else is to begin it may be waiting as well.
 */
async function patienceOf({ blsKeyFile, join: { waitSeconds } }: NodeConfig): Promise<number> {
  const mayBegin = blsKeyFile !== null && (await markFile(blsKeyFile).isThere());
  return mayBegin ? 0 : waitSeconds * 1000;
}
