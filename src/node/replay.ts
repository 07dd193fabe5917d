/**
 * The whole ledger again from its log, for an auditor: every seal and every signature is checked, on all cores, while
 * every block is executed again from genesis; what comes of it is compared with what is on disk, byte for byte.
 */
import { equalBytes, textFromUtf8 } from '../base/bytes.ts';
import { sha256Hex } from '../base/hash.ts';
import { CodedError, codedError, ok, refuse, unwrap, type Result } from '../base/result.ts';
import type { Block, SealedBlock } from '../ledger/block.ts';
import { BlockLog } from '../ledger/block-log.ts';
import { decodeCommitProof } from '../ledger/commit-proof.ts';
import { eventSigningBytes } from '../ledger/event.ts';
import { chainIdOf } from '../ledger/genesis.ts';
import { genesisState } from '../ledger/genesis-state.ts';
import { HEAD_KEY, RAFT_LEDGER_KEY, STATE_RANGE } from '../ledger/layout.ts';
import { Replay } from '../ledger/replay.ts';
import { CATALOG } from '../projections/catalog.ts';
import { blocksOf, rebuildProjections, type RebuiltProjection } from '../projections/rebuild.ts';
import { genesisCertificate, type EpochContext } from '../qc/certificate.ts';
import { loadDefaultScheme } from '../qc/default-scheme.ts';
import type { SignatureScheme } from '../qc/scheme.ts';
import { makeValidatorSet } from '../qc/validator-set.ts';
import type { LevelStore } from '../store/level-store.ts';
import { loadBlsKey } from './bls-key.ts';
import type { NodeConfig } from './config.ts';
import { readGenesisFile } from './genesis-file.ts';
import { openStore } from './open-store.ts';
import { stateAtBase } from './raft/ledger-replay.ts';
import { SignatureThread } from './signature-thread.ts';
import { runVerificationJob } from './verification-jobs.ts';
import { VerificationPool, type Verifier } from './verification-pool.ts';

export interface LedgerReplayOptions {
  readonly verifySignatures: boolean;
  readonly verifySeals: boolean;
  /** Worker threads for seals and signatures. */
  readonly threads: number;
  readonly onProgress: (progress: LedgerReplayProgress) => void;
}

export interface LedgerReplayProgress {
  readonly height: number;
  readonly headHeight: number;
  readonly events: number;
}

export interface LedgerReplayReport {
  readonly chainId: string;
  readonly height: number;
  readonly events: number;
  readonly stateRoot: string;
  /** The state on disk against the state that the log gives; `firstDifference` is a state key. */
  readonly state: { readonly entries: number; readonly equal: boolean; readonly firstDifference: string | null };
  readonly projections: readonly RebuiltProjection[];
  /** Seals of a Raft epoch are held against the log hash, and are no evidence: then none of them is verified. */
  readonly verified: { readonly signatures: boolean; readonly seals: boolean };
  readonly seconds: number;
}

/**
 * Checks under way while a block is executed: enough to keep every core busy through a block of 2,000 events, few enough
 * to stay small, as each holds its event.
 */
const MAX_CHECKS_UNDER_WAY = 4096;
/** To check this many here takes as long as it takes a thread to start. */
const FEW_SEALS = 256;
/** Batches that a signature thread has before it: executing a full block takes 100 ms, in which nothing is handed out. */
const BATCHES_UNDER_WAY = 32;

/**
 * The node that owns the directory must not run.
 *
 * @throws CodedError of opening the store and the log; `before-base` and those of `stateAtBase`; `replay-seal-invalid`, `replay-signature-invalid` and those of
 *   `Replay.step` at the first block that does not hold
 */
export async function replayLedger(config: NodeConfig, options: LedgerReplayOptions): Promise<LedgerReplayReport> {
  const { scheme } = await loadDefaultScheme();
  const genesis = await readGenesisFile(config.genesis);
  const chainId = chainIdOf(genesis);
  const validators = unwrap(makeValidatorSet(0, genesis.validators, scheme));
  const validatorKey =
    config.blsKeyFile === null ? null : sha256Hex(scheme.publicKeyOf(await loadBlsKey(config.blsKeyFile)));
  const store = await openStore(config.dataDirectory, { create: false });
  try {
    const isRaft = store.get(RAFT_LEDGER_KEY) !== undefined;
    if (isRaft && store.get(HEAD_KEY) === undefined) throw codedError('before-base', 'this cluster has no blocks yet');
    const log = await BlockLog.open(store, { chainId, validatorKey });
    const first = isRaft ? await stateAtBase(store, log, genesis) : genesisState(genesis);
    const context = { chainId, validators, genesis: genesisCertificate(0, first.block.id) };
    const verifySeals = options.verifySeals && !isRaft;
    const startedMs = performance.now();
    const replay = new Replay({ genesis: first, validatorsOf: () => validators });
    let events = 0;
    const projections = await rebuildProjections({
      store,
      log,
      replay,
      projections: CATALOG,
      blocks: checkedBlocks(log, context, scheme, { ...options, verifySeals }),
      onProgress: (progress) => {
        events = progress.events;
        options.onProgress(progress);
      },
    });
    const state = await compareState(store, replay.state.entries);
    return {
      chainId,
      height: replay.head.height,
      events,
      stateRoot: log.head().stateRoot,
      state,
      projections,
      verified: { signatures: options.verifySignatures, seals: verifySeals },
      seconds: (performance.now() - startedMs) / 1000,
    };
  } finally {
    await store.close();
  }
}

/**
 * The blocks of the log while they are being checked, on all cores: each is handed on to be executed while others' seals
 * and signatures are still under way. The last is followed by an end only once every check has passed.
 */
async function* checkedBlocks(
  log: BlockLog,
  context: EpochContext,
  scheme: SignatureScheme,
  { threads, verifySeals, verifySignatures }: LedgerReplayOptions,
): AsyncGenerator<SealedBlock, void> {
  // A seal costs what ten signatures do, and a block of them far more: half of the threads keep up with the seals.
  const pool =
    verifySeals && log.head().height > FEW_SEALS ? new VerificationPool(context, Math.max(1, threads >> 1)) : undefined;
  const seals: Verifier = pool ?? { run: (job) => Promise.resolve(ok(runVerificationJob(job, context, scheme))) };
  const signatures = Array.from(
    { length: verifySignatures ? threads : 0 },
    () => new SignatureThread(BATCHES_UNDER_WAY),
  );
  const checks = new Checks();
  try {
    for (const sealed of blocksOf(log)) {
      const { events } = sealed.block;
      if (verifySeals) checks.begin(1, checkSeal(sealed, seals));
      if (verifySignatures) checks.begin(events.length, checkSignatures(sealed.block, signatures));
      await checks.atMost(MAX_CHECKS_UNDER_WAY);
      yield sealed;
    }
    await checks.atMost(0);
  } finally {
    await pool?.close();
    await Promise.all(signatures.map((thread) => thread.close()));
  }
}

/** Checks under way, counted; the first that fails ends all. */
class Checks {
  #underWay = 0;
  #failure: CodedError | undefined;
  #progress = Promise.withResolvers<void>();

  begin(count: number, check: Promise<Result<unknown>>): void {
    this.#underWay += count;
    void check.then(
      (result) => this.#end(count, result.ok ? undefined : new CodedError(result.refusal)),
      (error: unknown) => this.#end(count, error as CodedError),
    );
  }

  /** Waits until no more than so many are under way. @throws CodedError what a check failed with */
  async atMost(count: number): Promise<void> {
    while (this.#failure === undefined && this.#underWay > count) await this.#progress.promise;
    if (this.#failure !== undefined) throw this.#failure;
  }

  #end(count: number, failure: CodedError | undefined): void {
    this.#underWay -= count;
    this.#failure ??= failure;
    this.#progress.resolve();
    this.#progress = Promise.withResolvers();
  }
}

async function checkSeal({ block, seal }: SealedBlock, seals: Verifier): Promise<Result<unknown>> {
  const proof = decodeCommitProof(seal.bytes);
  const { height } = block.header;
  if (!proof.ok) return sealInvalid(height, proof.refusal.code);
  const answer = await seals.run(
    { kind: 'seal', proof: proof.value, block: { id: block.id, header: block.header } },
    'consensus',
  );
  if (!answer.ok) return answer;
  const { value: outcome } = answer;
  return outcome.kind === 'checked' && !outcome.result.ok ? sealInvalid(height, outcome.result.refusal.code) : answer;
}

function sealInvalid(height: number, because: string): Result<never> {
  return refuse('replay-seal-invalid', 'the log holds a block that no quorum sealed', { height, because });
}

/** All of a block's signatures, side by side. */
async function checkSignatures(
  { events, header: { chainId, height } }: Block,
  threads: readonly SignatureThread[],
): Promise<Result<unknown>> {
  const valid = await Promise.all(
    events.map(({ identity, json, signature }, index) =>
      (threads[index % threads.length] as SignatureThread).verify(
        identity,
        eventSigningBytes(chainId, json),
        signature,
      ),
    ),
  );
  const forged = events[valid.indexOf(false)];
  if (forged === undefined) return ok(null);
  return refuse('replay-signature-invalid', 'the log holds an event that its node did not sign', {
    height,
    event: forged.id,
  });
}

async function compareState(
  store: LevelStore,
  expected: ReadonlyMap<string, Uint8Array>,
): Promise<LedgerReplayReport['state']> {
  let entries = 0;
  for await (const [key, value] of store.entries(STATE_RANGE)) {
    entries++;
    const name = textFromUtf8(key.subarray(1));
    const replayed = expected.get(name);
    if (replayed === undefined || !equalBytes(replayed, value)) return { entries, equal: false, firstDifference: name };
  }
  // Every key on disk is in the replayed state; a key that is not on disk makes the counts differ.
  const equal = entries === expected.size;
  return { entries, equal, firstDifference: equal ? null : 'a key is missing on disk' };
}
