/**
 * Scenarios as text, in the manner of etcd's raft test data: commands, a line `----`, and what then happened, word for
 * word. The driver under them runs the production engines. A scenario that fails is a difference between two texts;
 * `UPDATE=1 vitest run test/scenarios` writes what happens now.
 *
 *     network n=4 depth=2         starts that many validators, connected
 *     submit to=0 node=7          node 7 joins, by way of validator 0; again: it changes its version
 *     run 50 | settle             milliseconds | until everybody is idle
 *     crash 2 | start 2
 *     partition 0,1 2,3           nothing passes between the groups
 *     lose name=x kind=vote from=1 to=2 round=3 parity=odd     whatever is named must agree; `heal x`, or `heal` for all
 *     clock 2 -3600000 | clock all 500                          a clock is this much off
 *     status                      one line a validator
 */
import { assert } from '../../src/base/assert.ts';
import { changeOf, joinOf } from '../hotstuff/chain.ts';
import { Driver, type Passage } from '../hotstuff/driver.ts';

interface Step {
  readonly commands: readonly string[];
  readonly expected: string;
}

/** Text before the first command, each line with `#`, says what it is about. */
export interface Scenario {
  readonly about: string;
  readonly steps: readonly Step[];
}

export function parseScenario(text: string): Scenario {
  const blocks = text.trim().split(/\n\n+/);
  const about = blocks.filter((block) => block.startsWith('#')).join('\n\n');
  const steps = blocks
    .filter((block) => !block.startsWith('#'))
    .map((block) => {
      const [commands = '', expected] = block.split(/^----$\n?/m);
      return { commands: commands.trim().split('\n'), expected: (expected ?? '').trim() };
    });
  return { about, steps };
}

/** The same scenario with what happens now. */
export function playScenario({ about, steps }: Scenario): string {
  const stage = new Stage();
  const played = steps.map(({ commands }) => {
    const output = commands.flatMap((command) => stage.perform(command));
    return [...commands, '----', ...(output.length === 0 ? ['(nothing)'] : output)].join('\n');
  });
  return `${[about, ...played].join('\n\n')}\n`;
}

class Stage {
  #driver: Driver | null = null;
  #seen = 0;
  /** Events that each node has sent. */
  readonly #sequence = new Map<number, number>();

  get #network(): Driver {
    assert(this.#driver !== null, 'a scenario begins with `network`', {});
    return this.#driver;
  }

  perform(command: string): string[] {
    const [verb = '', ...words] = command.split(/\s+/);
    const options = new Map(words.map((word) => word.split('=') as [string, string | undefined]));
    const output = this.#do(verb, words, (name) => {
      const value = options.get(name);
      return value === undefined ? undefined : Number(value);
    });
    const news = this.#network.trace.slice(this.#seen);
    this.#seen = this.#network.trace.length;
    return [...news, ...output];
  }

  #do(verb: string, words: readonly string[], number: (name: string) => number | undefined): string[] {
    const first = words[0] ?? '';
    switch (verb) {
      case 'network': {
        const depth = number('depth') === 3 ? 3 : 2;
        this.#driver = Driver.started({ n: number('n') ?? 4, depth });
        return [];
      }
      case 'submit':
        this.#submit(number('to') ?? 0, number('node') ?? 1);
        return [];
      case 'run':
        this.#network.run(Number(first));
        return [];
      case 'settle':
        this.#network.settle();
        return [];
      case 'crash':
        this.#network.crash(Number(first));
        return [];
      case 'start':
        this.#network.start(Number(first));
        return [];
      case 'partition':
        this.#network.partition(...words.map((group) => group.split(',').map(Number)));
        return [];
      case 'lose':
        this.#network.lose(...filterOf(words));
        return [];
      case 'heal':
        if (first === '') this.#network.heal();
        else this.#network.heal(first);
        return [];
      case 'clock':
        for (const node of this.#network.nodes) {
          if (first === 'all' || node.index === Number(first)) node.clockOffsetMs += Number(words[1]);
        }
        return [];
      case 'status':
        return this.#network.describe().split('\n');
      default:
        throw new TypeError(`a scenario has no command ${verb}`);
    }
  }

  #submit(to: number, node: number): void {
    const { chain, nowMs } = this.#network;
    const seq = (this.#sequence.get(node) ?? 0) + 1;
    this.#sequence.set(node, seq);
    const time = Math.floor(nowMs / 1000);
    this.#network.submit(to, seq === 1 ? joinOf(chain, node, time) : changeOf(chain, node, seq, time));
  }
}

/** `kind=vote from=1 to=2 round=3 parity=odd name=x`: whatever is named must agree. */
function filterOf(words: readonly string[]): [name: string, filter: (passage: Passage) => boolean] {
  const options = new Map(words.map((word) => word.split('=') as [string, string]));
  const name = options.get('name') ?? words.join(' ');
  options.delete('name');
  const agrees: Record<string, (passage: Passage, value: string) => boolean> = {
    kind: ({ kind }, value) => kind === value,
    from: ({ from }, value) => from === Number(value),
    to: ({ to }, value) => to === Number(value),
    round: ({ round }, value) => round === Number(value),
    parity: ({ round }, value) => round % 2 === (value === 'odd' ? 1 : 0),
  };
  const demands = [...options].map(([option, value]) => {
    const demand = agrees[option];
    assert(demand !== undefined, 'a loss is told by kind, from, to, round or parity', { option });
    return (passage: Passage) => demand(passage, value);
  });
  return [name, (passage) => demands.every((demand) => demand(passage))];
}
