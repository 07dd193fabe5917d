/** One node as an operating-system process of its own, started by this program and never outliving it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as delay } from 'node:timers/promises';
import { codedError } from '../../base/result.ts';
import { ControlClient } from '../../node/control-client.ts';
import { NODE_ENVIRONMENT, NODE_FLAGS } from '../../node/node-flags.ts';
import type { NodeStatus } from '../../node/status.ts';
import type { TestnetNode } from '../../node/testnet.ts';

const LAUNCHER = fileURLToPath(new URL('../../../bin/hotledger.js', import.meta.url));
/** Between two looks at a process that is starting. */
const POLL_MS = 50;
const STOP_DEADLINE_MS = 12_000;

export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class NodeProcess {
  readonly node: TestnetNode;
  readonly control: ControlClient;
  /** Standard output and error, appended to by every start. */
  readonly logFile: string;
  readonly #child: ChildProcess;
  /** How it ended; undefined while it runs. */
  end: ProcessEnd | undefined;
  readonly ended: Promise<ProcessEnd>;

  /**
   * @param flags further flags of `hotledger start`
   * @param through a command that takes the node's command line and becomes it: `['ip', 'netns', 'exec', 'other']`
   * @param launcher the program, where it is not this one
   */
  constructor(
    node: TestnetNode,
    flags: readonly string[] = [],
    through: readonly string[] = [],
    launcher: string = LAUNCHER,
  ) {
    this.node = node;
    this.control = new ControlClient(join(node.dataDirectory, 'control.sock'));
    this.logFile = join(node.directory, 'node.log');
    const log = openSync(this.logFile, 'a', 0o600);
    // A group of its own: Ctrl-C reaches this program only, which stops its nodes in order. The open input is the
    // leash: it ends with this program, however that dies, and the node stops.
    const start = [launcher, 'start', '--config', node.configFile, '--until-input-ends', ...flags];
    const [command = process.execPath, ...args] = [...through, process.execPath, ...NODE_FLAGS, ...start];
    this.#child = spawn(command, args, {
      stdio: ['pipe', log, log],
      detached: true,
      env: { ...NODE_ENVIRONMENT, ...process.env },
    });
    closeSync(log);
    this.#child.stdin?.on('error', () => {
      // The node has gone; `ended` tells how.
    });
    this.ended = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        this.end = { code, signal };
        resolve(this.end);
      });
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /**
   * Waits until the node answers on its control socket, and has joined where it had nothing.
   *
   * @throws CodedError `node-did-not-start`, with the end of its log
   */
  async ready(deadlineMs: number): Promise<NodeStatus> {
    const giveUpAtMs = Date.now() + deadlineMs;
    while (this.end === undefined && Date.now() < giveUpAtMs) {
      const status = await this.control.status().catch(() => undefined);
      if (status !== undefined && status.joining === undefined) return status;
      await delay(POLL_MS);
    }
    throw codedError('node-did-not-start', `${this.node.name} did not start; see ${this.logFile}`, {
      exit: this.end === undefined ? `still starting after ${deadlineMs} ms` : `${this.end.code ?? this.end.signal}`,
      log: this.lastLogLines(5),
    });
  }

  /** Asks it to stop, and insists when it does not. */
  async stop(): Promise<ProcessEnd> {
    if (this.end !== undefined) return this.end;
    await this.control.stop().catch(() => this.#child.kill('SIGTERM'));
    const late = AbortSignal.timeout(STOP_DEADLINE_MS);
    const insist = (): void => void this.#child.kill('SIGKILL');
    late.addEventListener('abort', insist, { once: true });
    const end = await this.ended;
    late.removeEventListener('abort', insist);
    return end;
  }

  /** Ends it at once, as a power cut would. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  lastLogLines(count: number): string {
    try {
      return readFileSync(this.logFile, 'utf8').trimEnd().split('\n').slice(-count).join('\n');
    } catch {
      return '';
    }
  }
}
