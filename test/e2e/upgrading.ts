/** A network of an older and a newer program that is upgraded one process at a time, and decides on a new event schema. */
import { expect } from 'vitest';
import { LAUNCHER, TestNetwork, type NetworkOptions } from './harness.ts';
import { CodedError } from '../../src/base/result.ts';
import type { SubmissionAnswer } from '../../src/net/submission-wire.ts';
import type { OwnSignedEvent } from '../../src/node/sign-event.ts';
import { eventually } from '../eventually.ts';
import { identityKeyFromSecret } from '../../src/node/keys.ts';
import { Author, type Load, type Submitters } from './load.ts';
import { olderProgram } from './older-program.ts';

const NOT_SETTLED = new Set(['busy', 'no-quorum', 'not-committed-yet', 'not-leader', 'leadership-lost']);

/** What a node says that only schema 2 can say. */
export function joinsAsLlm(author: Author): OwnSignedEvent {
  const others = { isTwitterScraper: false, isDiscordScraper: false, isTelegramScraper: false, isWebScraper: false };
  return author.sign({ type: 'joined', schema: 2, multiaddrs: [], version: 'v2', ...others, isLlmServer: true });
}

/** Who is in no load. */
export function llmAuthor(chainId: string): Author {
  return new Author(chainId, identityKeyFromSecret('ed25519', new Uint8Array(32).fill(9)));
}

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

  /** What a node answers to an event in the end, however long this machine takes. */
  async answer(submitters: Submitters, to: string, event: OwnSignedEvent): Promise<SubmissionAnswer> {
    return eventually(`${to} answers`, async () => {
      try {
        const answer = await submitters.submit(to, event);
        return answer.kind === 'refused' && NOT_SETTLED.has(answer.refusal.code) ? undefined : answer;
      } catch (error) {
        if (error instanceof CodedError) return undefined;
        throw error;
      }
    });
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
