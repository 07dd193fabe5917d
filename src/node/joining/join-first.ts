/**
 * Before a node with an empty data directory runs: it gets a state to begin from, of others, and puts it where a ledger
 * lies. What each step leaves on the disk says where the next run goes on:
 *
 *     nothing                              asks what there is
 *     joining/                             has begun a snapshot: goes on with what is kept
 *     joining/, a ledger half restored     has all of it: goes on restoring
 *     a ledger                             runs
 *     rejoining/                           has a ledger that cannot go on: see `ledger-swap.ts`
 */
import { readdir } from 'node:fs/promises';
import { sha256Hex } from '../../base/hash.ts';
import { codedError, unwrap, type Refusal } from '../../base/result.ts';
import type { JoinOutcome, JoinStatus } from '../../consensus/join-contract.ts';
import type { LogIdentity } from '../../ledger/block-log.ts';
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
import { loadBlsKey, neverSignedMark } from '../bls-key.ts';
import type { NodeConfig } from '../config.ts';
import { markFile } from '../mark-file.ts';
import { loadIdentityKey, type IdentityKey } from '../keys.ts';
import { ledgerDirectory } from '../open-ledger.ts';
import type { RunningNode } from '../status.ts';
import { JoinDriver } from './join-driver.ts';
import { JoinStaging } from './join-staging.ts';
import type { JoinReport } from './join-report.ts';
import { joiningNode } from './joining-node.ts';
import { LedgerSwap } from './ledger-swap.ts';
import { discardHalfRestored, restoreJoined } from './restore-joined.ts';

/** Of restoring what was fetched. */
const MAX_ATTEMPTS = 5;

export interface JoinFirstOptions {
  /** Aborted, the join ends with `join-stopped`. */
  readonly signal?: AbortSignal | undefined;
  /** Told when there is something to join, of a node that answers meanwhile. @returns what to do when it is over */
  readonly onJoining?: ((node: RunningNode) => Promise<() => Promise<void>>) | undefined;
  /** The blocks behind the ledger that is there are pruned at the others: a snapshot takes its place, if that may be. */
  readonly isBehind?: boolean | undefined;
}

/** How a node began. */
export interface Joined {
  readonly outcome: JoinOutcome;
  /** At the end of asking. */
  readonly status: JoinStatus;
  /** Why the ledger that was there stays all the same; else null. */
  readonly stays: Refusal | null;
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
  const swap = new LedgerSwap(config);
  const { dataDirectory } = config;
  const isBehind = (await swap.isUnderWay()) || options.isBehind === true;
  if (isBehind && ((await hasLedger(dataDirectory)) || (await swap.isWhole()))) {
    return joinBehind(await whoAsks(config, genesis, log), swap, options);
  }
  // Somebody took the old ledger away: the node begins as one that has none.
  await swap.discard();
  if (config.join.from === 'genesis') return null;
  const isBegun = await new JoinStaging(dataDirectory).isThere();
  if (!isBegun && (await hasLedger(dataDirectory))) return null;
  const patienceMs = await patienceOf(config);
  const from = await whoAsks(config, genesis, log);
  if (!isBegun && patienceMs === 0 && from.others().length === 0) return null;
  return new Join({ ...from, dataDirectory, ownHeight: null, patienceMs }).run(options);
}

/** The ledger that is there is left as it is until another can take its place. */
async function joinBehind(from: WhoAsks, swap: LedgerSwap, options: JoinFirstOptions): Promise<Joined | null> {
  let joined: Joined | null = null;
  if (!(await swap.isWhole())) {
    if (from.config.join.from === 'genesis') {
      await swap.discard();
      return null;
    }
    const ownHeight = await swap.ownHeight(from);
    await swap.begin();
    joined = await new Join({ ...from, dataDirectory: swap.newDirectory, ownHeight, patienceMs: 0 }).run(options);
    if (joined.outcome.kind !== 'snapshot') {
      from.log.info({ ownHeight }, 'somebody has the blocks behind the ledger of this node: goes on with it');
      await swap.discard();
      return joined;
    }
  }
  const stays = await swap.finish(from);
  if (stays === null) from.log.info('the ledger from the snapshot took the place of the one that could not go on');
  else from.log.error({ refusal: stays }, 'the ledger of this node stays, though the blocks behind it are pruned');
  return joined === null ? null : { ...joined, stays };
}

/** Of this node, whatever it joins with. */
interface WhoAsks extends LogIdentity {
  readonly config: NodeConfig;
  readonly genesis: Genesis;
  readonly log: Logger;
  readonly identity: IdentityKey;
  readonly addresses: AddressBook;
  readonly others: () => readonly string[];
  readonly scheme: SignatureScheme;
  readonly trusted: TrustedChain;
}

async function whoAsks(config: NodeConfig, genesis: Genesis, log: Logger): Promise<WhoAsks> {
  const identity = await loadIdentityKey(config);
  const addresses = addressBookOf(config, genesis);
  const { scheme } = await loadDefaultScheme();
  const trusted = unwrap(trustGenesis(genesis, scheme));
  const blsSecretKey = config.blsKeyFile === null ? null : await loadBlsKey(config.blsKeyFile);
  return {
    config,
    genesis,
    log,
    identity,
    addresses,
    others: () => addresses.peers().filter((peerId) => peerId !== identity.peerId),
    scheme,
    trusted,
    chainId: trusted.chainId,
    validatorKey: blsSecretKey === null ? null : sha256Hex(scheme.publicKeyOf(blsSecretKey)),
  };
}

interface JoinParts extends WhoAsks {
  /** Where the ledger is put. */
  readonly dataDirectory: string;
  /** Of the ledger that is there and cannot go on; null where there is none. */
  readonly ownHeight: number | null;
  readonly patienceMs: number;
}

class Join {
  readonly #parts: JoinParts;
  readonly #staging: JoinStaging;
  readonly #stopped = new AbortController();
  readonly #startedAtMs = Date.now();
  #driver: JoinDriver | null = null;
  #isRestoring = false;

  constructor(parts: JoinParts) {
    this.#parts = parts;
    this.#staging = new JoinStaging(parts.dataDirectory);
  }

  async run({ onJoining, signal }: JoinFirstOptions): Promise<Joined> {
    const { config, identity, trusted } = this.#parts;
    signal?.addEventListener('abort', () => this.#stopped.abort());
    if (signal?.aborted === true) this.#stopped.abort();
    // For questions only: the host that listens comes with the ledger.
    const host = await createHost({ identity: identity.protobuf, listen: [], chainId: trusted.chainId });
    try {
      await this.#begin(host);
      const close = await onJoining?.(
        joiningNode({
          config,
          chainId: trusted.chainId,
          peerId: identity.peerId,
          startedAtMs: this.#startedAtMs,
          nowMs: () => Date.now(),
          peers: () => host.connections().length,
          join: () => this.#report(),
          stop: () => this.#stopped.abort(),
        }),
      );
      try {
        return await this.#joined(host);
      } finally {
        await close?.();
      }
    } finally {
      await host.stop();
    }
  }

  #report(): JoinReport {
    const status = { ...(this.#driver as JoinDriver).status(), ownHeight: this.#parts.ownHeight };
    return this.#isRestoring ? { ...status, phase: 'restoring' } : status;
  }

  async #begin(host: Host): Promise<JoinDriver> {
    const { addresses, log, others, ownHeight, patienceMs, scheme, trusted } = this.#parts;
    const staging = this.#staging;
    this.#driver = new JoinDriver({
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
      ownHeight,
      nowMs: () => Date.now(),
      log,
      signal: this.#stopped.signal,
    });
    return this.#driver;
  }

  /** Again, for chunks that the disk did not keep; not for ever, as that disk may keep none. */
  async #joined(host: Host): Promise<Joined> {
    const { dataDirectory, genesis, log, validatorKey } = this.#parts;
    const staging = this.#staging;
    for (let attempt = 1; ; attempt++) {
      const driver = this.#driver as JoinDriver;
      const outcome = await driver.run();
      const joined = { outcome, status: driver.status(), stays: null };
      if (outcome.kind === 'own-ledger') return joined;
      if (outcome.kind === 'genesis') {
        log.info({ because: outcome.because }, 'no snapshot to begin from: begins at genesis, and takes every block');
        await discardHalfRestored(dataDirectory);
        await staging.discard();
        return joined;
      }
      const { height } = outcome.of;
      log.info({ height, bytes: joined.status.bytes }, 'has the snapshot, and puts it into the ledger');
      this.#isRestoring = true;
      const damaged = await restoreJoined({ dataDirectory, genesis, validatorKey, staging, of: outcome.of });
      this.#isRestoring = false;
      if (damaged === null) {
        log.info({ height, tookMs: Date.now() - this.#startedAtMs }, 'begins at the height of the snapshot');
        return joined;
      }
      log.warn({ height, chunk: damaged }, 'the disk did not keep a chunk: it is fetched again');
      if (attempt === MAX_ATTEMPTS) {
        throw codedError('join-write-failed', 'the disk does not keep what is written to it', { chunk: damaged });
      }
      await this.#begin(host);
    }
  }
}

/** LevelDB's own file, which is there from the first moment on. */
async function hasLedger(dataDirectory: string): Promise<boolean> {
  try {
    const files = await readdir(ledgerDirectory(dataDirectory));
    // A ledger without CURRENT is a damaged one: LevelDB makes that file before any log and any table.
    return files.some((file) => file === 'CURRENT' || /\.(log|ldb|sst)$/.test(file));
  } catch (error) {
    // What is there and cannot be read is for whoever opens it to tell.
    return (error as NodeJS.ErrnoException).code !== 'ENOENT';
  }
}

/**
 * How long to wait for somebody who answers. A validator whose key never signed may be one of those that begin the
 * network: whoever else is to begin it may be waiting as well.
 */
async function patienceOf({ blsKeyFile, join: { waitSeconds } }: NodeConfig): Promise<number> {
  const mayBegin = blsKeyFile !== null && (await markFile(neverSignedMark(blsKeyFile)).isThere());
  return mayBegin ? 0 : waitSeconds * 1000;
}
