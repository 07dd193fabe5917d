/** A devnet from start to end: processes, population, reads, the view of them, and the summary. */
import { Random } from '../../base/random.ts';
import { codedError } from '../../base/result.ts';
import type { IdentityKey } from '../../node/keys.ts';
import { setTimeout as delay } from 'node:timers/promises';
import { adversaryKeys } from './adversaries.ts';
import { Gauge } from './gauge.ts';
import type { Life } from './life.ts';
import type { Mix } from './mix.ts';
import type { Devnet } from './network.ts';
import { NodeProcess } from './node-process.ts';
import { takeInObservers } from './raft-observers.ts';
import { ObserverReads } from './reads.ts';
import { simulatedKeys } from './simulated-keys.ts';
import { summarize, type DevnetFacts, type DevnetSummary, type ProcessSummary } from './summary.ts';
import type { ProcessFacts, ViewFacts } from './view.ts';

const READY_DEADLINE_MS = 30_000;
/** For all processes to reach one height at the end. */
const LEVEL_DEADLINE_MS = 15_000;
const GAUGE_MS = 500;

const importLife = () => import('./life.ts');

export interface RunOptions {
  readonly devnet: Devnet;
  /** The devnet's directory, as its user calls it. */
  readonly label: string;
  readonly nodes: number;
  readonly mix: Mix;
  /** Share of hostile nodes, 0 to 1, beside the others. */
  readonly adversaries: number;
  readonly speed: number;
  readonly readsPerSecond: number;
  /** The population lives this long; undefined: until it is stopped. */
  readonly durationMs: number | undefined;
  /** Called twice a second, and with every change of phase. */
  readonly show: (view: ViewFacts) => void;
}

/** @param stop ends the population; the rest follows in order */
export async function runDevnet(options: RunOptions, stop: AbortSignal): Promise<DevnetSummary> {
  const run = new DevnetRun(options);
  try {
    await run.startProcesses();
    const { durationMs } = options;
    await run.live(durationMs === undefined ? stop : AbortSignal.any([stop, AbortSignal.timeout(durationMs)]));
    return await run.conclude();
  } finally {
    await run.stopProcesses();
  }
}

class DevnetRun {
  readonly #options: RunOptions;
  readonly #processes: NodeProcess[] = [];
  readonly #adversaryKeys: readonly IdentityKey[];
  readonly #startedMs = Date.now();
  #gauge = new Gauge([]);
  #reads: ObserverReads | undefined;
  #life: Life | undefined;
  #problem: string | null = null;

  constructor(options: RunOptions) {
    this.#options = options;
    this.#adversaryKeys = adversaryKeys(options.adversaries, options.nodes);
  }

  async startProcesses(): Promise<void> {
    for (const node of this.#options.devnet.nodes) this.#processes.push(new NodeProcess(node));
    this.#gauge = new Gauge(this.#processes);
    // What speaks libp2p takes half a second to import: done here while the processes do the same.
    void importLife();
    const ready = Promise.all(this.#processes.map((process) => process.ready(READY_DEADLINE_MS)));
    await this.#whileShowing(ready);
    const { consensus, nodes } = this.#options.devnet;
    if (consensus === 'raft') await this.#whileShowing(takeInObservers(this.#processes, nodes, READY_DEADLINE_MS));
  }

  /** Lets the population live until the signal aborts, and waits for its last answers. */
  async live(stop: AbortSignal): Promise<void> {
    const { devnet, mix, nodes, readsPerSecond, speed } = this.#options;
    const keys = simulatedKeys(devnet.populationSeed, nodes, mix.secp256k1);
    const peerIds = keys.map(({ peerId }) => peerId);
    const reads = new ObserverReads(this.#observer().control);
    this.#reads = reads;
    const known = devnet.isNew ? new Map<string, never>() : await reads.readAll(peerIds);
    const { Life } = await importLife();
    const life = await Life.begin({ devnet, keys, adversaryKeys: this.#adversaryKeys, mix, speed, known });
    this.#life = life;
    const reading = reads.run(peerIds, readsPerSecond, new Random(Date.now() >>> 0), stop);
    await this.#whileShowing(Promise.all([life.run(stop), reading]));
  }

  /** What came of it, once all processes have reached one height and every acknowledged event was looked for. */
  async conclude(): Promise<DevnetSummary> {
    const [life, reads] = [this.#life, this.#reads];
    if (life === undefined || reads === undefined) throw codedError('unexpected', 'the population did not live');
    const { adversaries, drive, stakes } = life;
    await this.#whileShowing(this.#level());
    const { missing, unchecked } = await reads.findMissing(drive.acknowledgedSeq());
    const staked = await reads.readAll(stakes.decided());
    const unstaked = [...staked.values()].filter(({ node }) => node?.isStaked !== true).length;
    const hostile = await reads.readAll(this.#adversaryKeys.map(({ peerId }) => peerId));
    const records = [...hostile.values()].filter(({ lastSeq }) => lastSeq !== null).length;
    const facts: DevnetFacts = {
      chainId: this.#options.devnet.chainId,
      durationSeconds: (Date.now() - this.#startedMs) / 1000,
      processes: this.#processes.map((process) => this.#processSummary(process)),
      events: { ...drive.counts(), committed: this.#gauge.eventsCommitted(), refusedBy: drive.refusals() },
      stakes: { ...stakes.counts(), missing: unstaked },
      adversaries: { ...adversaries.counts(), records },
      latencyMs: drive.latencyMs.percentiles() ?? null,
      reads: { ok: reads.ok, failed: reads.failed, firstFailure: reads.firstFailure },
      missing,
      unchecked,
    };
    return summarize(facts);
  }

  async stopProcesses(): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.stop()));
  }

  /** Waits until all processes are at one height and idle, or the deadline. */
  async #level(): Promise<void> {
    const giveUpAtMs = Date.now() + LEVEL_DEADLINE_MS;
    while (Date.now() < giveUpAtMs) {
      await this.#gauge.refresh(Date.now());
      const statuses = this.#processes.map((process) => this.#gauge.statusOf(process));
      const heights = new Set(statuses.map((status) => status?.height));
      if (heights.size === 1 && statuses.every((status) => status?.mempoolEvents === 0)) return;
      await delay(100);
    }
  }

  async #whileShowing<T>(work: Promise<T>): Promise<T> {
    const done = new AbortController();
    const showing = this.#keepShowing(done.signal);
    try {
      return await work;
    } finally {
      done.abort();
      await showing;
    }
  }

  async #keepShowing(done: AbortSignal): Promise<void> {
    while (!done.aborted) {
      await this.#gauge.refresh(Date.now());
      this.#problem = this.#endedProcess() ?? this.#reads?.firstFailure ?? null;
      this.#options.show(this.#view());
      await delay(GAUGE_MS, undefined, { signal: done }).catch(() => undefined);
    }
  }

  #endedProcess(): string | null {
    const ended = this.#processes.find((process) => process.end !== undefined);
    return ended === undefined ? null : `${ended.node.name} ended; see ${ended.logFile}`;
  }

  #observer(): NodeProcess {
    const observer = this.#processes.find(({ node }) => node.role === 'observer');
    if (observer === undefined) throw codedError('devnet-directory-foreign', 'this devnet has no observer');
    return observer;
  }

  #processSummary(process: NodeProcess): ProcessSummary {
    const status = this.#gauge.statusOf(process);
    const { name, role, peerId } = process.node;
    return {
      name,
      role,
      peerId,
      height: status?.height ?? null,
      stateRoot: status?.stateRoot ?? null,
      rssBytes: status?.rssBytes ?? null,
    };
  }

  #view(): ViewFacts {
    const { devnet, nodes, speed } = this.#options;
    const counts = this.#life?.drive.counts();
    const acknowledged = this.#life?.drive.acknowledgedSeq().keys().next().value;
    return {
      chainId: devnet.chainId,
      upSeconds: (Date.now() - this.#startedMs) / 1000,
      directory: this.#options.label,
      nodes,
      speed,
      processes: this.#processes.map((process) => this.#processFacts(process)),
      ...this.#gauge.rates(),
      latencyMs: this.#life?.drive.latencyMs.percentiles(),
      joined: this.#life?.population.joined ?? 0,
      submitted: counts?.submitted ?? 0,
      acknowledged: counts?.acknowledged ?? 0,
      refused: counts?.refused ?? 0,
      forgeriesRefused: this.#life?.adversaries.counts().refused ?? 0,
      readsOk: this.#reads?.ok ?? 0,
      readsFailed: this.#reads?.failed ?? 0,
      problem: this.#problem,
      examplePeerId: acknowledged ?? null,
    };
  }

  #processFacts(process: NodeProcess): ProcessFacts {
    const status = this.#gauge.statusOf(process);
    const { name, role } = process.node;
    if (status === undefined) {
      const { end } = process;
      return { name, facts: null, note: end === undefined ? null : `ended with ${end.code ?? end.signal}` };
    }
    return {
      name,
      note: null,
      facts: {
        round: role === 'observer' ? null : status.round,
        height: status.height,
        stateRoot: status.stateRoot,
        peers: status.peers,
        rssBytes: status.rssBytes,
        isLeader: status.index !== null && status.leader === status.index && !status.idle,
        silentBecause: role === 'observer' ? null : status.silentBecause,
      },
    };
  }
}
