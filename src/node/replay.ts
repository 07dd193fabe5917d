/**
 * The whole ledger again from its log, for an auditor: every seal and every signature is checked, on all cores; then
 * every block is executed again from genesis, and what comes of it is compared with what is on disk, byte for byte.
 */
import { equalBytes, textFromUtf8 } from '../base/bytes.ts';
import { sha256Hex } from '../base/hash.ts';
import { CodedError, codedError, refuse, unwrap, type Refusal, type Result } from '../base/result.ts';
import type { SealedBlock } from '../ledger/block.ts';
import { BlockLog } from '../ledger/block-log.ts';
import { decodeCommitProof } from '../ledger/commit-proof.ts';
import { eventSigningBytes, type SignedEvent } from '../ledger/event.ts';
import { genesisState } from '../ledger/genesis-state.ts';
import { STATE_RANGE } from '../ledger/layout.ts';
import { Replay } from '../ledger/replay.ts';
import { CATALOG } from '../projections/catalog.ts';
import { rebuildProjections, type RebuiltProjection } from '../projections/rebuild.ts';
import { genesisCertificate, type EpochContext } from '../qc/certificate.ts';
import { loadDefaultScheme } from '../qc/default-scheme.ts';
import { makeValidatorSet } from '../qc/validator-set.ts';
import { LevelStore } from '../store/level-store.ts';
import { loadBlsKey } from './bls-key.ts';
import type { NodeConfig } from './config.ts';
import { readGenesisFile } from './genesis-file.ts';
import { ledgerDirectory } from './open-ledger.ts';
import { verifyNative } from './signature-native.ts';
import { VerificationPool } from './verification-pool.ts';

export interface LedgerReplayOptions {
  readonly verifySignatures: boolean;
  readonly verifySeals: boolean;
  /** Worker threads for seals; signatures use libuv's. */
  readonly threads: number;
  readonly onProgress: (progress: LedgerReplayProgress) => void;
}

export interface LedgerReplayProgress {
  readonly phase: 'verify' | 'execute';
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
  readonly verified: { readonly signatures: boolean; readonly seals: boolean };
  readonly seconds: { readonly verify: number; readonly execute: number };
}

/** Checks under way at once: enough to keep every core busy, few enough to stay small. */
const MAX_CHECKS_UNDER_WAY = 512;
const PROGRESS_EVERY_BLOCKS = 256;

/**
 * The node that owns the directory must not run.
 *
 * @throws CodedError of opening the store and the log; `replay-seal-invalid`, `replay-signature-invalid` and those of
 *   `Replay.step` at the first block that does not hold
 */
export async function replayLedger(config: NodeConfig, options: LedgerReplayOptions): Promise<LedgerReplayReport> {
  const { scheme } = await loadDefaultScheme();
  const genesis = await readGenesisFile(config.genesis);
  const first = genesisState(genesis);
  const validators = unwrap(makeValidatorSet(0, genesis.validators, scheme));
  const validatorKey =
    config.blsKeyFile === null ? null : sha256Hex(scheme.publicKeyOf(await loadBlsKey(config.blsKeyFile)));
  const store = await LevelStore.open(ledgerDirectory(config.dataDirectory));
  try {
    const log = await BlockLog.open(store, { chainId: first.chainId, validatorKey });
    const context = { chainId: first.chainId, validators, genesis: genesisCertificate(0, first.block.id) };
    const startedMs = performance.now();
    const events = await verifyLog(log, context, options);
    const verifiedMs = performance.now();
    const replay = new Replay({ genesis: first, validatorsOf: () => validators });
    const projections = await rebuildProjections({
      store,
      log,
      replay,
      projections: CATALOG,
      onProgress: (progress) => {
        options.onProgress({ phase: 'execute', ...progress });
      },
    });
    const state = await compareState(store, replay.state.entries);
    return {
      chainId: first.chainId,
      height: replay.head.height,
      events,
      stateRoot: log.head().stateRoot,
      state,
      projections,
      verified: { signatures: options.verifySignatures, seals: options.verifySeals },
      seconds: { verify: (verifiedMs - startedMs) / 1000, execute: (performance.now() - verifiedMs) / 1000 },
    };
  } finally {
    await store.close();
  }
}

/** @returns how many events the log holds */
async function verifyLog(log: BlockLog, context: EpochContext, options: LedgerReplayOptions): Promise<number> {
  const pool = options.verifySeals ? new VerificationPool(context, options.threads) : undefined;
  const checks = new Checks();
  const headHeight = log.head().height;
  let events = 0;
  try {
    for (let height = 1; height <= headHeight; height++) {
      const sealed = log.sealedBlockAt(height);
      if (sealed === undefined) throw codedError('store-corrupt', 'a block is missing from the log', { height });
      events += sealed.block.events.length;
      if (pool !== undefined) await checks.add(checkSeal(sealed, pool));
      if (options.verifySignatures) {
        for (const event of sealed.block.events) await checks.add(checkSignature(event, context.chainId, height));
      }
      if (height % PROGRESS_EVERY_BLOCKS === 0) options.onProgress({ phase: 'verify', height, headHeight, events });
    }
    await checks.done();
    options.onProgress({ phase: 'verify', height: headHeight, headHeight, events });
    return events;
  } finally {
    await pool?.close();
  }
}

/** A bounded number of checks under way; the first that fails ends all. */
class Checks {
  readonly #underWay = new Set<Promise<void>>();
  #refusal: Refusal | undefined;

  async add(check: Promise<Result<unknown>>): Promise<void> {
    const watched = check.then((result) => {
      this.#underWay.delete(watched);
      if (!result.ok) this.#refusal ??= result.refusal;
    });
    this.#underWay.add(watched);
    if (this.#underWay.size >= MAX_CHECKS_UNDER_WAY) await Promise.race(this.#underWay);
    this.#throwIfRefused();
  }

  async done(): Promise<void> {
    await Promise.all(this.#underWay);
    this.#throwIfRefused();
  }

  #throwIfRefused(): void {
    if (this.#refusal !== undefined) throw new CodedError(this.#refusal);
  }
}

async function checkSeal({ block, seal }: SealedBlock, pool: VerificationPool): Promise<Result<unknown>> {
  const proof = decodeCommitProof(seal.bytes);
  const { height } = block.header;
  if (!proof.ok) return sealInvalid(height, proof.refusal.code);
  const answer = await pool.run({ kind: 'seal', proof: proof.value, block }, 'consensus');
  if (!answer.ok) return answer;
  const { value: outcome } = answer;
  return outcome.kind === 'checked' && !outcome.result.ok ? sealInvalid(height, outcome.result.refusal.code) : answer;
}

function sealInvalid(height: number, because: string): Result<never> {
  return refuse('replay-seal-invalid', 'the log holds a block that no quorum sealed', { height, because });
}

async function checkSignature(event: SignedEvent, chainId: string, height: number): Promise<Result<unknown>> {
  const message = eventSigningBytes(chainId, event.json);
  if (await verifyNative(event.identity, message, event.signature)) return { ok: true, value: null };
  return refuse('replay-signature-invalid', 'the log holds an event that its node did not sign', {
    height,
    event: event.id,
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
