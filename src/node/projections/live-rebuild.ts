/**
 * Rebuilds the projections of a running node: those that are stale when it starts, those that stopped, and those that an
 * operator asks for. One rebuild at a time, beside the work that matters; what it is about is in the store, so that it
 * goes on after the process was killed.
 */
import { CodedError, ok, refuse, type Refusal, type Result } from '../../base/result.ts';
import type { Logger } from '../../observability/log.ts';
import { readBuild, type PlannedRows } from '../../projections/build-state.ts';
import { isSamePlan, type BuildProgress } from '../../projections/build.ts';
import type { Projector } from '../../projections/projector.ts';
import type { Store } from '../../store/store.ts';

/** A rebuild that runs, in a thread or here. */
export interface RebuildRun {
  /** The height that its rows hold; null when it was stopped before its end. Rejects with what went wrong. */
  readonly ended: Promise<number | null>;
  /** It ends at this height, or where it is when that is higher. */
  readonly finishAt: (height: number) => void;
  /** Resolves once it reads nothing any more. */
  readonly stop: () => Promise<void>;
}

/** Begins a rebuild, or goes on with one that was cut off. */
export type StartRebuild = (plan: readonly PlannedRows[], onProgress: (progress: BuildProgress) => void) => RebuildRun;

export interface LiveRebuildOptions {
  readonly projector: Projector;
  readonly store: Store;
  readonly start: StartRebuild;
  readonly log: Pick<Logger, 'error' | 'info'>;
  /** Monotone. */
  readonly nowMs: () => number;
}

/** Plain data: it is in the status of the node. */
export interface RebuildStatus {
  readonly projections: readonly string[];
  readonly height: number;
  readonly headHeight: number;
  readonly eventsPerSecond: number;
  /** By the heights of the time so far; null before there is anything to judge by. */
  readonly secondsLeft: number | null;
}

/** So near to the head the end is told: what blocks change from there on is kept for the new rows. */
const NEAR_BLOCKS = 64;
const LOG_INTERVAL_MS = 10_000;

interface UnderWay {
  readonly names: readonly string[];
  readonly startedMs: number;
  run: RebuildRun | null;
  progress: BuildProgress | null;
  firstHeight: number | null;
  loggedMs: number;
}

export class LiveRebuild {
  readonly #options: LiveRebuildOptions;
  /** Asked for while another is under way. */
  readonly #waiting = new Set<string>();
  /** Rebuilt once because they had stopped: a second time it is for the operator to ask. */
  readonly #retried = new Set<string>();
  #underWay: UnderWay | null = null;
  #working: Promise<void> = Promise.resolve();
  #failure: Refusal | null = null;
  #stopped = false;

  constructor(options: LiveRebuildOptions) {
    this.#options = options;
  }

  /** Goes on with what was under way, and takes up what is stale. Returns at once. */
  begin(): void {
    const { projector, store } = this.#options;
    const known = new Set(projector.status().map(({ name }) => name));
    const resumed = readBuild(store)?.plan.map(({ name }) => name) ?? [];
    const stale = projector.status().filter(({ state }) => state === 'stale');
    this.#want([...resumed.filter((name) => known.has(name)), ...stale.map(({ name }) => name)]);
  }

  /** A projection has stopped: its rows may be damaged, which a rebuild mends once; a bug it does not. */
  offer(name: string): void {
    if (this.#retried.has(name)) return;
    this.#retried.add(name);
    this.#want([name]);
  }

  /**
   * What an operator asks for.
   *
   * @param names empty: all
   * @returns what is being rebuilt now, or will be next
   *
   * Refusal: `projection-unknown`
   */
  request(names: readonly string[]): Result<readonly string[]> {
    const known = this.#options.projector.status().map(({ name }) => name);
    const unknown = names.find((name) => !known.includes(name));
    if (unknown !== undefined) {
      const details = { name: unknown, known: known.join(' ') };
      return refuse('projection-unknown', 'this program keeps no such projection', details);
    }
    const wanted = names.length === 0 ? known : names;
    this.#want(wanted.filter((name) => this.#underWay?.names.includes(name) !== true));
    return ok(wanted);
  }

  status(): RebuildStatus | null {
    const underWay = this.#underWay;
    if (underWay === null) return null;
    const { firstHeight, names, progress, startedMs } = underWay;
    if (progress === null || firstHeight === null) {
      return { projections: names, height: -1, headHeight: -1, eventsPerSecond: 0, secondsLeft: null };
    }
    const { events, headHeight, height } = progress;
    const seconds = Math.max(0.001, (this.#options.nowMs() - startedMs) / 1000);
    const heightsPerSecond = (height - firstHeight) / seconds;
    return {
      projections: names,
      height,
      headHeight,
      eventsPerSecond: Math.round(events / seconds),
      secondsLeft: heightsPerSecond > 0 ? Math.ceil((headHeight - height) / heightsPerSecond) : null,
    };
  }

  /** Why the last rebuild failed; null when it did not. */
  get failure(): Refusal | null {
    return this.#failure;
  }

  /** Resolves when nothing is being rebuilt, and nothing waits for it. */
  async idle(): Promise<void> {
    await this.#working;
  }

  /** It goes on at the next start. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#underWay?.run?.stop();
    await this.#working;
  }

  #want(names: readonly string[]): void {
    for (const name of names) this.#waiting.add(name);
    if (this.#underWay !== null || this.#waiting.size === 0) return;
    this.#working = this.#work();
  }

  async #work(): Promise<void> {
    while (this.#waiting.size > 0 && !this.#stopped) {
      const names = [...this.#waiting];
      this.#waiting.clear();
      await this.#rebuild(names);
    }
  }

  async #rebuild(names: readonly string[]): Promise<void> {
    const { log, nowMs, projector } = this.#options;
    const underWay: UnderWay = {
      names,
      startedMs: nowMs(),
      run: null,
      progress: null,
      firstHeight: null,
      loggedMs: nowMs(),
    };
    this.#underWay = underWay;
    this.#failure = null;
    try {
      const served = await this.#performed(underWay);
      if (served === null) return;
      const seconds = (nowMs() - underWay.startedMs) / 1000;
      log.info({ projections: served, events: underWay.progress?.events, seconds }, 'projections were rebuilt');
    } catch (error) {
      projector.release();
      if (this.#stopped) return;
      this.#failure = error instanceof CodedError ? error : refuse('rebuild-failed', String(error), {}).refusal;
      log.error({ projections: names, err: error }, 'projections could not be rebuilt');
    } finally {
      this.#underWay = null;
    }
  }

  /** @returns those that serve now; null when it was stopped, and goes on at the next start */
  async #performed(underWay: UnderWay): Promise<readonly string[] | null> {
    const { log, projector, start, store } = this.#options;
    const plan = await projector.plan(underWay.names);
    const isResumed = isSamePlan(readBuild(store)?.plan ?? [], plan);
    log.info({ projections: underWay.names, isResumed }, 'projections are being rebuilt beside those that serve');
    if (this.#stopped) return null;
    let isFinishing = false;
    const run = start(plan, (progress) => {
      this.#progressed(underWay, progress);
      if (isFinishing || progress.headHeight - progress.height > NEAR_BLOCKS) return;
      isFinishing = true;
      run.finishAt(projector.hold(progress.height));
    });
    underWay.run = run;
    const height = await run.ended;
    return height === null ? null : projector.adopt(plan, height);
  }

  #progressed(underWay: UnderWay, progress: BuildProgress): void {
    underWay.progress = progress;
    underWay.firstHeight ??= progress.height;
    const nowMs = this.#options.nowMs();
    if (nowMs - underWay.loggedMs < LOG_INTERVAL_MS) return;
    underWay.loggedMs = nowMs;
    this.#options.log.info({ ...this.status() }, 'projections are being rebuilt');
  }
}
