/**
 * A network of real processes for one test: made in a temporary directory, every port given by the system, started,
 * killed and stopped by process id, its logs shown when the test fails, and gone after it.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { NodeProcess } from '../../src/cli/devnet/node-process.ts';
import { codedError } from '../../src/base/result.ts';
import { chainIdOf, type Genesis } from '../../src/ledger/genesis.ts';
import { DEFAULT_PARAMETERS, type ChainParameters } from '../../src/ledger/parameters.ts';
import type { NodeRecord } from '../../src/ledger/record.ts';
import type { PeerTarget } from '../../src/net/host.ts';
import { readAddressFile } from '../../src/node/address-book.ts';
import type { ConfigFile } from '../../src/node/config-schema.ts';
import { readGenesisFile } from '../../src/node/genesis-file.ts';
import type { NodeStatus } from '../../src/node/status.ts';
import { makeTestnet, type Testnet, type TestnetNode } from '../../src/node/testnet.ts';
import { loadDefaultScheme } from '../../src/qc/default-scheme.ts';
import { eventually } from '../eventually.ts';

export const LAUNCHER = fileURLToPath(new URL('../../bin/hotledger.js', import.meta.url));
const READY_DEADLINE_MS = 45_000;
const LOG_LINES_SHOWN = 20;

export interface NetworkOptions {
  readonly validators?: number;
  readonly observers?: number;
  readonly parameters?: ChainParameters;
  readonly commitDepth?: 2 | 3;
  readonly consensus?: 'hotstuff' | 'raft';
  readonly settings?: Partial<ConfigFile>;
  /** That the genesis has. */
  readonly records?: readonly NodeRecord[];
  /** Where each node is on a network other than loopback, in the order of the names; none: all on loopback. */
  readonly hosts?: readonly string[];
  /** On those hosts. */
  readonly port?: number;
  /** A command that starts a node elsewhere or otherwise, and becomes it: `['ip', 'netns', 'exec', ...]`. */
  readonly through?: (name: string) => readonly string[];
  /** The launcher of the program that a node starts with; left out: this program. */
  readonly launcher?: (name: string) => string;
}

export interface CommandResult {
  readonly exit: number;
  readonly out: string;
  readonly err: string;
  /** The last line of standard output, as JSON. */
  readonly json: () => unknown;
}

export class TestNetwork {
  readonly directory: string;
  readonly testnet: Testnet;
  readonly genesis: Genesis;
  readonly #running = new Map<string, NodeProcess>();
  readonly #through: (name: string) => readonly string[];
  readonly #launcher: (name: string) => string;

  private constructor(directory: string, testnet: Testnet, genesis: Genesis, options: NetworkOptions) {
    this.directory = directory;
    this.testnet = testnet;
    this.genesis = genesis;
    this.#through = options.through ?? (() => []);
    this.#launcher = options.launcher ?? (() => LAUNCHER);
  }

  /** Makes the directories of a network, and starts nothing. */
  static async make(options: NetworkOptions = {}): Promise<TestNetwork> {
    // Short, as a socket's path is bounded.
    const directory = await mkdtemp(join(tmpdir(), 'hl-'));
    const { scheme } = await loadDefaultScheme();
    const testnet = await makeTestnet(
      {
        directory: join(directory, 'net'),
        name: 'e2e',
        validators: options.validators ?? 4,
        observers: options.observers ?? 1,
        hosts: options.hosts,
        port: options.port ?? 0,
        consensus: options.consensus ?? 'hotstuff',
        commitDepth: options.commitDepth ?? 2,
        parameters: options.parameters ?? DEFAULT_PARAMETERS,
        records: options.records ?? [],
        timestamp: Math.floor(Date.now() / 1000),
        settings: options.settings ?? {},
      },
      scheme,
    );
    const network = new TestNetwork(directory, testnet, await readGenesisFile(testnet.genesisFile), options);
    onTestFinished(async ({ task }) => {
      if (task.result?.state === 'fail') network.#showLogs();
      await network.#remove();
    });
    return network;
  }

  /** Makes a network, starts every process of it, and waits until each validator reaches a quorum. */
  static async start(options: NetworkOptions = {}): Promise<TestNetwork> {
    const network = await TestNetwork.make(options);
    await network.startNodes(network.names());
    for (const name of network.names('validator')) {
      await eventually(`${name} reaches a quorum`, async () => (await network.reachesQuorum(name)) || undefined);
    }
    return network;
  }

  get chainId(): string {
    return chainIdOf(this.genesis);
  }

  /** `validator-1`, ..., `observer`. */
  names(role?: TestnetNode['role']): string[] {
    return this.testnet.nodes.filter((node) => role === undefined || node.role === role).map(({ name }) => name);
  }

  node(name: string): TestnetNode {
    const found = this.testnet.nodes.find((node) => node.name === name);
    if (found === undefined) throw new Error(`no node is called ${name}`);
    return found;
  }

  /** Starts these all at once, and waits until each answers. */
  async startNodes(names: readonly string[], flags: readonly string[] = []): Promise<void> {
    await Promise.all(
      names.map(async (name) => {
        const process = new NodeProcess(this.node(name), flags, this.#through(name), this.#launcher(name));
        this.#running.set(name, process);
        await process.ready(READY_DEADLINE_MS);
      }),
    );
  }

  process(name: string): NodeProcess {
    const process = this.#running.get(name);
    if (process === undefined) throw new Error(`${name} was not started`);
    return process;
  }

  status(name: string): Promise<NodeStatus> {
    return this.process(name).control.status();
  }

  async reachesQuorum(name: string): Promise<boolean> {
    const { components } = await this.status(name);
    return components.some((component) => component.name === 'consensus' && component.healthy);
  }

  /** Ends processes at once, as a power cut of their machines would, and waits until they are gone. */
  async kill(...names: string[]): Promise<void> {
    const processes = names.map((name) => this.process(name));
    for (const process of processes) process.kill();
    await Promise.all(processes.map(({ ended }) => ended));
  }

  /** `SIGSTOP` leaves a process with its connections open and silent, until `SIGCONT`. */
  signal(name: string, signal: 'SIGSTOP' | 'SIGCONT'): void {
    const { pid } = this.process(name);
    if (pid === undefined) throw new Error(`${name} has no process`);
    process.kill(pid, signal);
  }

  /** Asks these to stop. @throws when one does not end by itself, in time, with 0 */
  async stop(...names: string[]): Promise<void> {
    const ends = await Promise.all(names.map((name) => this.process(name).stop()));
    for (const [index, end] of ends.entries()) {
      if (end.code !== 0) throw new Error(`${names[index]} did not stop in order: ${end.code ?? end.signal}`);
    }
  }

  /** What a node has written so far, over all its lives. */
  log(name: string): string {
    return readFileSync(join(this.node(name).directory, 'node.log'), 'utf8');
  }

  /** Where a running node can be dialled. */
  target(name: string): PeerTarget {
    const { dataDirectory, peerId } = this.node(name);
    const file = readAddressFile(join(dataDirectory, 'addresses.json'));
    if (file === undefined) throw codedError('node-not-running', `${name} does not listen`);
    return { peerId, multiaddrs: file.addresses };
  }

  /** One command line in a process of its own, in the network's directory. */
  run(...argv: string[]): Promise<CommandResult> {
    return new Promise((resolve) => {
      execFile(process.execPath, [LAUNCHER, ...argv], { cwd: this.directory }, (error, out, err) => {
        const exit = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        const json = (): unknown => JSON.parse(out.trimEnd().split('\n').at(-1) ?? '');
        resolve({ exit, out, err, json });
      });
    });
  }

  /** Waits until these nodes are at one height, at least the one given, and checks that their state roots agree. */
  async level(
    names: readonly string[],
    minHeight = 0,
  ): Promise<{ readonly height: number; readonly stateRoot: string }> {
    return eventually(`${names.join(', ')} are at one height of at least ${minHeight}`, async () => {
      const statuses = await Promise.all(names.map((name) => this.status(name)));
      const [first] = statuses;
      if (first === undefined || first.height < minHeight) return undefined;
      if (statuses.some(({ height }) => height !== first.height)) return undefined;
      const roots = new Set(statuses.map(({ stateRoot }) => stateRoot));
      if (roots.size > 1) throw new Error(`state roots differ at height ${first.height}: ${[...roots].join(', ')}`);
      return { height: first.height, stateRoot: first.stateRoot };
    });
  }

  /** Waits until a node has what any running node has now. */
  async caughtUp(name: string, deadlineMs?: number): Promise<void> {
    const running = [...this.#running].filter(([, { end }]) => end === undefined);
    // One that begins again with a snapshot is not heard for a moment.
    const statuses = await eventually('all of them answer', () =>
      Promise.all(running.map(([, { control }]) => control.status())),
    );
    const height = Math.max(...statuses.map((status) => status.height));
    await eventually(
      `${name} is at height ${height}`,
      async () => (await this.status(name)).height >= height || undefined,
      deadlineMs,
    );
  }

  async #remove(): Promise<void> {
    for (const process of this.#running.values()) if (process.end === undefined) process.kill();
    await Promise.all([...this.#running.values()].map(({ ended }) => ended));
    await rm(this.directory, { recursive: true, force: true });
  }

  /** What happened, without the ballots. */
  #showLogs(): void {
    for (const name of this.#running.keys()) {
      const lines = this.log(name).trimEnd().split('\n');
      const told = lines.filter((line) => !line.startsWith('{"level":"trace"')).slice(-LOG_LINES_SHOWN);
      process.stderr.write(`--- ${name}\n${told.join('\n')}\n`);
    }
  }
}
