/** A network of an older and a newer program that is upgraded one process at a time, and decides on a new event schema. */
import { expect } from 'vitest';
import { LAUNCHER, TestNetwork, type NetworkOptions } from './harness.ts';
import type { Load } from './load.ts';
import { olderProgram } from './older-program.ts';

export class UpgradingNetwork {
  readonly network: TestNetwork;
  readonly #launchers: Map<string, string>;

  private constructor(network: TestNetwork, launchers: Map<string, string>) {
    this.network = network;
    this.#launchers = launchers;
  }

  /** @param newer those that run this program from the start; the others run the older one */
  static async start(newer: readonly string[], options: NetworkOptions = {}): Promise<UpgradingNetwork> {
    const older = olderProgram();
    const launchers = new Map(newer.map((name) => [name, LAUNCHER]));
    const launcher = (name: string): string => launchers.get(name) ?? older;
    return new UpgradingNetwork(await TestNetwork.start({ ...options, launcher }), launchers);
  }

  /** Ends the nodes at the worst moment, or finds them ended, and starts this program in their place. */
  async upgrade(...names: readonly string[]): Promise<void> {
    await this.network.kill(...names);
    for (const name of names) this.#launchers.set(name, LAUNCHER);
    await this.network.startNodes(names);
  }

  /**
   * By the operators' commands, while nobody submits: the chain goes on with what they do, however slow this machine is.
   *
   * @returns the height from which schema 2 is in force
   */
  async activate(load: Load, proposer: string, approvers: readonly string[], notice: number): Promise<number> {
    load.pause();
    const { action, proposal } = (await this.#validators(proposer, 'propose', 'schema', '2', '--in', `${notice}`)) as {
      readonly proposal: string;
      readonly action: { readonly fromHeight: number };
    };
    for (const name of approvers) {
      await this.network.caughtUp(name);
      await this.#validators(name, 'approve', proposal);
    }
    load.resume();
    return action.fromHeight;
  }

  async #validators(name: string, ...argv: readonly string[]): Promise<unknown> {
    const { network } = this;
    const result = await network.run('validators', ...argv, '--config', network.node(name).configFile, '--json');
    expect([name, ...argv, result.exit, result.exit === 0 ? '' : result.out + result.err]).toEqual([
      name,
      ...argv,
      0,
      '',
    ]);
    return result.json();
  }
}
