/** A devnet from start to end: processes, population, reads, the view of them, and the summary. */
import { Random } from '../../base/random.ts';
import { sha256 } from '../../base/hash.ts';
import { codedError } from '../../base/result.ts';
import { readAddressFile } from '../../node/address-book.ts';
import type { PeerTarget } from '../../net/host.ts';
import type { IdentityKey } from '../../node/keys.ts';
import type { TestnetNode } from '../../node/testnet.ts';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Adversaries, adversaryKeys } from './adversaries.ts';
import { Drive } from './drive.ts';
import { Gauge } from './gauge.ts';
import type { Mix } from './mix.ts';
import type { Devnet } from './network.ts';
import { NodeProcess } from './node-process.ts';
import { Population } from './population.ts';
import { ObserverReads } from './reads.ts';
import { simulatedKeys } from './simulated-keys.ts';
import type { Submitter } from './submitter.ts';
import { summarize, type DevnetFacts, type DevnetSummary, type ProcessSummary } from './summary.ts';
import type { ProcessFacts, ViewFacts } from './view.ts';

const READY_DEADLINE_MS = 30_000;
/** For answers under way at the end, and then for all processes to reach one height. */
const ANSWERS_DEADLINE_MS = 10_000;
const LEVEL_DEADLINE_MS = 15_000;
const GAUGE_MS = 500;

const importSubmitter = () => import('./submitter.ts');

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
  #drive: Drive | undefined;
  #adversaries: Adversaries | undefined;
  #population: Population | undefined;
  #problem: string | null = null;

  constructor(options: RunOptions) {
    this.#options = options;
    this.#adversaryKeys = adversaryKeys(options.adversaries, options.nodes);
  }

  async startProcesses(): Promise<void> {
    for (const node of this.#options.devnet.nodes) this.#processes.push(new NodeProcess(node));
    this.#gauge = new Gauge(this.#processes);
    // What speaks libp2p takes half a second to import: done here while the processes do the same.
    void importSubmitter();
    const ready = Promise.all(this.#processes.map((process) => process.ready(READY_DEADLINE_MS)));
    await this.#whileShowing(ready);
  }

  /** Lets the population live until the signal aborts, and waits for its last answers. */
  async live(stop: AbortSignal): Promise<void> {
    const { devnet, nodes, mix, readsPerSecond } = this.#options;
    const keys = simulatedKeys(devnet.populationSeed, nodes, mix.secp256k1);
    const peerIds = keys.map(({ peerId }) => peerId);
    this.#reads = new ObserverReads(this.#observer().control);
    const { population, lastSeq } = await this.#populate(peerIds);
    const submitter = await this.#submitterFor(keys, mix.direct);
    const hostile = await this.#submitterFor(this.#adversaryKeys, 1);
    const adversaries = new Adversaries({
      chainId: devnet.chainId,
      keys: this.#adversaryKeys,
      victims: peerIds,
      random: new Random(Date.now() >>> 0),
      submit: (adversary, { by, event }) =>
        by === 'relay' ? hostile.relayed(adversary, event) : hostile.submit(adversary, event),
    });
    const drive = new Drive({
      population,
      keys,
      lastSeq,
      chainId: devnet.chainId,
      submit: submitter.submit,
      onAcknowledged: (event) => {
        adversaries.overhear(event, Date.now());
      },
    });
    this.#population = population;
    this.#drive = drive;
    this.#adversaries = adversaries;
    try {
      const reading = this.#reads.run(peerIds, readsPerSecond, new Random(Date.now() >>> 0), stop);
      const living = [drive.run(stop, ANSWERS_DEADLINE_MS), adversaries.run(stop), reading];
      await this.#whileShowing(Promise.all(living));
    } finally {
      await Promise.all([submitter.close(), hostile.close()]);
    }
  }

  /** What came of it, once all processes have reached one height and every acknowledged event was looked for. */
  async conclude(): Promise<DevnetSummary> {
    const drive = this.#drive;
    const reads = this.#reads;
    const adversaries = this.#adversaries;
    if (drive === undefined || reads === undefined || adversaries === undefined)
      throw codedError('unexpected', 'the population did not live');
    await this.#whileShowing(this.#level());
    const { missing, unchecked } = await reads.findMissing(drive.acknowledgedSeq());
    const hostile = await reads.readAll(this.#adversaryKeys.map(({ peerId }) => peerId));
    const records = [...hostile.values()].filter(({ lastSeq }) => lastSeq !== null).length;
    const facts: DevnetFacts = {
      chainId: this.#options.devnet.chainId,
      durationSeconds: (Date.now() - this.#startedMs) / 1000,
      processes: this.#processes.map((process) => this.#processSummary(process)),
      events: { ...drive.counts(), committed: this.#gauge.eventsCommitted(), refusedBy: drive.refusals() },
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

  async #submitterFor(keys: readonly IdentityKey[], direct: number): Promise<Submitter> {
    const { Submitter } = await importSubmitter();
    const { chainId, nodes } = this.#options.devnet;
    const validators = nodes.filter(({ role }) => role === 'validator').map((node) => () => targetOf(node));
    return new Submitter({ chainId, keys, direct, validators });
  }

  /** The nodes as the ledger holds them: a devnet that is started again goes on from there. */
  async #populate(peerIds: readonly string[]): Promise<{ population: Population; lastSeq: Map<string, number> }> {
    const { devnet, nodes, mix, speed } = this.#options;
    const population = new Population({
      nodes,
      mix,
      speed,
      seed: new DataView(sha256(devnet.populationSeed).buffer).getUint32(0),
      livenessWindowSeconds: devnet.genesis.parameters.livenessWindowSeconds,
      relayPeerId: devnet.nodes[0]?.peerId ?? '',
      nowMs: Date.now(),
    });
    const lastSeq = new Map<string, number>();
    if (devnet.isNew || this.#reads === undefined) return { population, lastSeq };
    const reports = await this.#reads.readAll(peerIds);
    for (const [index, peerId] of peerIds.entries()) {
      const report = reports.get(peerId);
      if (report === undefined) continue;
      if (report.lastSeq !== null) lastSeq.set(peerId, report.lastSeq);
      const record = report.node;
      if (record !== null) population.resume(index, { joined: record.activity !== 1, version: record.version });
    }
    return { population, lastSeq };
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
    const counts = this.#drive?.counts();
    const acknowledged = this.#drive?.acknowledgedSeq().keys().next().value;
    return {
      chainId: devnet.chainId,
      upSeconds: (Date.now() - this.#startedMs) / 1000,
      directory: this.#options.label,
      nodes,
      speed,
      processes: this.#processes.map((process) => this.#processFacts(process)),
      ...this.#gauge.rates(),
      latencyMs: this.#drive?.latencyMs.percentiles(),
      joined: this.#population?.joined ?? 0,
      submitted: counts?.submitted ?? 0,
      acknowledged: counts?.acknowledged ?? 0,
      refused: counts?.refused ?? 0,
      forgeriesRefused: this.#adversaries?.counts().refused ?? 0,
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

function targetOf(node: TestnetNode): PeerTarget | undefined {
  const file = readAddressFile(join(node.dataDirectory, 'addresses.json'));
  return file === undefined ? undefined : { peerId: node.peerId, multiaddrs: file.addresses };
}
