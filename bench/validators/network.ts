/** Four validators, as operating-system processes on this machine, for the benchmark to drive. */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { NodeProcess } from '../../src/cli/devnet/node-process.ts';
import { DEFAULT_PARAMETERS } from '../../src/ledger/parameters.ts';
import type { NodeRecord } from '../../src/ledger/record.ts';
import type { PeerTarget } from '../../src/net/host.ts';
import { readAddressFile } from '../../src/node/address-book.ts';
import type { ControlClient } from '../../src/node/control-client.ts';
import type { NodeStatus } from '../../src/node/status.ts';
import { makeTestnet, type Testnet } from '../../src/node/testnet.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';

const VALIDATORS = 4;
/** To load the state of a million nodes takes one of four on two cores a minute. */
const DEADLINE_MS = 300_000;
const LOOK_AGAIN_MS = 20;

export class ValidatorNetwork {
  readonly testnet: Testnet;
  readonly #directory: string;
  readonly #processes: readonly NodeProcess[];

  private constructor(directory: string, testnet: Testnet, processes: readonly NodeProcess[]) {
    this.#directory = directory;
    this.testnet = testnet;
    this.#processes = processes;
  }

  /**
   * Returns once every validator is connected with every other.
   *
   * @param parent on the disk that is to be measured
   * @param timestamp of the genesis, unix seconds
   */
  static async start(parent: string, records: readonly NodeRecord[], timestamp: number): Promise<ValidatorNetwork> {
    const directory = await mkdtemp(join(parent, 'hlb-'));
    return ValidatorNetwork.of(directory, await ValidatorNetwork.make(directory, records, timestamp));
  }

  /** The directories of validators that are not started. */
  static make(directory: string, records: readonly NodeRecord[], timestamp: number): Promise<Testnet> {
    return makeTestnet(
      {
        directory: join(directory, 'net'),
        name: 'bench',
        validators: VALIDATORS,
        observers: 0,
        hosts: undefined,
        port: 0,
        commitDepth: 2,
        parameters: DEFAULT_PARAMETERS,
        records,
        timestamp,
        settings: {},
      },
      nativeScheme,
    );
  }

  /** Starts them. @param directory is removed with the network */
  static async of(directory: string, testnet: Testnet): Promise<ValidatorNetwork> {
    const network = new ValidatorNetwork(
      directory,
      testnet,
      testnet.nodes.map((node) => new NodeProcess(node)),
    );
    try {
      await network.#ready();
      return network;
    } catch (error) {
      await network.remove();
      throw error;
    }
  }

  /** Of the first validator. */
  get control(): ControlClient {
    return this.#processes[0]!.control;
  }

  /** Where each validator can be dialled. */
  targets(): readonly PeerTarget[] {
    return this.testnet.nodes.map(({ dataDirectory, name, peerId }) => {
      const file = readAddressFile(join(dataDirectory, 'addresses.json'));
      if (file === undefined) throw new Error(`${name} does not listen`);
      return { peerId, multiaddrs: file.addresses };
    });
  }

  /**
   * Of each validator, once all have committed the same, so many events or more, and nothing waits: what they did can
   * then be counted.
   */
  async settled(events = 0): Promise<readonly NodeStatus[]> {
    return this.#eventually(`the validators are level and idle, with ${events} events`, (statuses) => {
      if (statuses.some(({ eventsCommitted }) => eventsCommitted < events)) return false;
      const [first] = statuses;
      const isLevel = statuses.every(({ height, mempoolEvents }) => height === first?.height && mempoolEvents === 0);
      if (isLevel && statuses.some(({ stateRoot }) => stateRoot !== first?.stateRoot)) {
        throw new Error('the state roots of the validators differ');
      }
      return isLevel && statuses.every(({ idle }) => idle);
    });
  }

  async stop(): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.stop()));
  }

  async remove(): Promise<void> {
    for (const process of this.#processes) if (process.end === undefined) process.kill();
    await Promise.all(this.#processes.map(({ ended }) => ended));
    await rm(this.#directory, { recursive: true });
  }

  async #ready(): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.ready(DEADLINE_MS)));
    await this.#eventually('the validators are connected', (statuses) =>
      statuses.every(({ peers }) => peers >= VALIDATORS - 1),
    );
  }

  async #eventually(fact: string, holds: (statuses: readonly NodeStatus[]) => boolean): Promise<readonly NodeStatus[]> {
    const giveUpAtMs = Date.now() + DEADLINE_MS;
    for (;;) {
      const statuses = await Promise.all(this.#processes.map(({ control }) => control.status()));
      if (holds(statuses)) return statuses;
      if (Date.now() > giveUpAtMs) throw new Error(`not within ${DEADLINE_MS} ms: ${fact}`);
      await delay(LOOK_AGAIN_MS);
    }
  }
}
