/**
 * Validators on machines of their own, as far as a network goes: each in a network namespace, on one switch, which is in
 * a namespace too, so that all of it goes with the namespaces.
 *
 *     hl-<pid>-1   hl-<pid>-2   ...        the test, in the namespace that it was started in
 *         |            |                        |
 *         +------ bridge in hl-<pid>-switch ----+
 *
 * A direction between two of them is cut by the address of the one that the other has in its neighbour table: what is
 * sent then goes to nobody. Nothing is refused and no connection ends, packets are just gone, as with a cable that was
 * pulled. It needs no packet filter. The test itself reaches everybody throughout.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';
import type { NetworkOptions } from '../e2e/harness.ts';

const run = promisify(execFile);
/** Each namespace has all ports to itself. */
const PORT = 4001;
const NAME = /^hl-(\d+)-/;
/** A locally administered address that no host has. */
const NOBODY = '02:00:00:00:ff:ff';

/** Whether this machine lets this process make what a `Switch` needs. */
export async function canMakeNamespaces(): Promise<boolean> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  const name = `hl-${process.pid}-probe`;
  try {
    await ip('netns', 'add', name);
    await ip('-n', name, 'link', 'add', 'name', 'bridge0', 'type', 'bridge');
    await ip('-n', name, 'link', 'add', 'name', 'port0', 'type', 'veth', 'peer', 'name', 'port1');
    return true;
  } catch {
    return false;
  } finally {
    await ip('netns', 'delete', name).catch(ignoreMissing);
  }
}

export class Switch {
  readonly #hosts: number;
  /** `from>to`, numbers of hosts from 1. */
  #cut = new Set<string>();

  private constructor(hosts: number) {
    this.#hosts = hosts;
  }

  /** Gone after the test, and so is what a test that was killed has left. */
  static async make(hosts: number): Promise<Switch> {
    await removeNamespaces(isGone);
    onTestFinished(() => removeNamespaces((pid) => pid === process.pid));
    const made = new Switch(hosts);
    await made.#build();
    return made;
  }

  /** For a `TestNetwork` of as many validators and no observers. */
  options(): Pick<NetworkOptions, 'hosts' | 'port' | 'through'> {
    return {
      hosts: Array.from({ length: this.#hosts }, (_, index) => address(index + 1)),
      port: PORT,
      through: (name) => ['ip', 'netns', 'exec', namespace(Number(name.replace('validator-', '')))],
    };
  }

  /** Hosts of different groups do not reach each other from now on; all else does. */
  async split(...groups: readonly (readonly number[])[]): Promise<void> {
    const groupOf = (host: number): number => groups.findIndex((group) => group.includes(host));
    await this.cut((from, to) => groupOf(from) !== groupOf(to));
  }

  async heal(): Promise<void> {
    await this.cut(() => false);
  }

  /** What one host sends to another is lost from now on where this says so, and arrives elsewhere. */
  async cut(lost: (from: number, to: number) => boolean): Promise<void> {
    const wanted = new Set(this.#directions().flatMap(([from, to]) => (lost(from, to) ? [`${from}>${to}`] : [])));
    const changed = this.#directions().filter(([from, to]) => {
      const direction = `${from}>${to}`;
      return wanted.has(direction) !== this.#cut.has(direction);
    });
    this.#cut = wanted;
    await Promise.all(changed.map(([from, to]) => this.#pointTo(from, to)));
  }

  #directions(): [from: number, to: number][] {
    const hosts = Array.from({ length: this.#hosts }, (_, index) => index + 1);
    return hosts.flatMap((from) => hosts.flatMap((to) => (to === from ? [] : [[from, to] as [number, number]])));
  }

  async #build(): Promise<void> {
    const hub = `hl-${process.pid}-switch`;
    await ip('netns', 'add', hub);
    await ip('-n', hub, 'link', 'add', 'name', 'bridge0', 'type', 'bridge');
    await ip('-n', hub, 'link', 'set', 'dev', 'bridge0', 'up');
    for (let host = 1; host <= this.#hosts; host++) {
      const name = namespace(host);
      await ip('netns', 'add', name);
      await ip('-n', name, 'link', 'set', 'dev', 'lo', 'up');
      await plug(hub, `port${host}`, ['name', 'eth0', 'address', hardware(host), 'netns', name]);
      await ip('-n', name, 'address', 'add', `${address(host)}/24`, 'dev', 'eth0');
      await ip('-n', name, 'link', 'set', 'dev', 'eth0', 'up');
    }
    const own = `hl${process.pid}`;
    await plug(hub, 'port0', ['name', own, 'netns', String(process.pid)]);
    await ip('address', 'add', `${address(254)}/24`, 'dev', own);
    await ip('link', 'set', 'dev', own, 'up');
    for (const [from, to] of this.#directions()) await this.#pointTo(from, to);
  }

  async #pointTo(from: number, to: number): Promise<void> {
    const at = this.#cut.has(`${from}>${to}`) ? NOBODY : hardware(to);
    const neighbour = ['neighbour', 'replace', address(to), 'lladdr', at, 'dev', 'eth0', 'nud', 'permanent'];
    await ip('-n', namespace(from), ...neighbour);
  }
}

/** A cable from a port of the switch to elsewhere. */
async function plug(hub: string, port: string, end: readonly string[]): Promise<void> {
  await ip('-n', hub, 'link', 'add', 'name', port, 'type', 'veth', 'peer', ...end);
  await ip('-n', hub, 'link', 'set', 'dev', port, 'master', 'bridge0');
  await ip('-n', hub, 'link', 'set', 'dev', port, 'up');
}

function namespace(host: number): string {
  return `hl-${process.pid}-${host}`;
}

/** Of a block for private use; the third number keeps two test runs on one machine apart. */
function address(host: number): string {
  return `10.213.${process.pid % 256}.${host}`;
}

function hardware(host: number): string {
  return `02:00:00:00:00:${host.toString(16).padStart(2, '0')}`;
}

async function removeNamespaces(ofProcess: (pid: number) => boolean): Promise<void> {
  const { stdout } = await run('ip', ['netns', 'list']);
  const names = stdout.split('\n').map((line) => line.split(' ')[0] ?? '');
  const own = names.filter((name) => ofProcess(Number(NAME.exec(name)?.[1] ?? NaN)));
  for (const name of own) await ip('netns', 'delete', name).catch(ignoreMissing);
}

function isGone(pid: number): boolean {
  if (Number.isNaN(pid)) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

function ignoreMissing(): void {
  // Somebody else has removed it.
}

async function ip(...args: readonly string[]): Promise<void> {
  await run('ip', [...args]);
}
