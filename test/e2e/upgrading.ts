/** A network of an older and a newer program that is upgraded one process at a time, and decides on a new event schema. */
import { expect } from 'vitest';
import { LAUNCHER, TestNetwork, type NetworkOptions } from './harness.ts';
import { olderProgram } from './older-program.ts';

/** What `hotledger validators propose schema` and `approve` print. */
interface Proposed {
  readonly proposal: string;
  readonly action: { readonly fromHeight: number };
}

export class UpgradingNetwork {
  readonly network: TestNetwork;
  readonly #launchers: Map<string, string>;

  private constructor(network: TestNetwork, launchers: Map<string, string>) {
    this.network = network;
    this.#launchers = launchers;
  }

  /** Every node runs the older program. */
  static async start(options: NetworkOptions = {}): Promise<UpgradingNetwork> {
    const older = olderProgram();
    const launchers = new Map<string, string>();
    const launcher = (name: string): string => launchers.get(name) ?? older;
    return new UpgradingNetwork(await TestNetwork.start({ ...options, launcher }), launchers);
  }

  /** Ends the nodes at the worst moment, or finds them ended, and starts this program in their place. */
  async upgrade(...names: readonly string[]): Promise<void> {
    await this.network.kill(...names);
    for (const name of names) this.#launchers.set(name, LAUNCHER);
    await this.network.startNodes(names);
  }

  /** By the operators' commands. @returns the height from which schema 2 is in force */
  async activate(proposer: string, approvers: readonly string[], notice: number): Promise<number> {
    const { network } = this;
    const configOf = (name: string) => ['--config', network.node(name).configFile, '--json'];
    const proposed = await network.run(
      'validators',
      'propose',
      'schema',
      '2',
      '--in',
      `${notice}`,
      ...configOf(proposer),
    );
    expect(proposed).toMatchObject({ exit: 0, err: '' });
    const { proposal, action } = proposed.json() as Proposed;
    for (const name of approvers) {
      await network.caughtUp(name);
      const approved = await network.run('validators', 'approve', proposal, ...configOf(name));
      expect(approved).toMatchObject({ exit: 0, err: '' });
    }
    return action.fromHeight;
  }
}
