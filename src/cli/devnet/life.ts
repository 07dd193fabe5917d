/** Who lives on a devnet: the population, the validators that stake a part of it, and the adversaries. */
import { join } from 'node:path';
import { sha256 } from '../../base/hash.ts';
import { Random } from '../../base/random.ts';
import type { PeerTarget } from '../../net/host.ts';
import { readAddressFile } from '../../node/address-book.ts';
import { loadIdentityKey, type IdentityKey } from '../../node/keys.ts';
import type { ReadReport } from '../../node/read-report.ts';
import type { OwnSignedEvent } from '../../node/sign-event.ts';
import type { TestnetNode } from '../../node/testnet.ts';
import { Adversaries } from './adversaries.ts';
import { Drive } from './drive.ts';
import type { Mix } from './mix.ts';
import type { Devnet } from './network.ts';
import { Population } from './population.ts';
import { Stakes } from './stakes.ts';
import { Submitter } from './submitter.ts';

/** For answers under way at the end. */
const ANSWERS_DEADLINE_MS = 10_000;

export interface LifeOptions {
  readonly devnet: Devnet;
  /** Of the population. */
  readonly keys: readonly IdentityKey[];
  readonly adversaryKeys: readonly IdentityKey[];
  readonly mix: Mix;
  readonly speed: number;
  /** The population's nodes as the ledger holds them, by peer id: life goes on from there. */
  readonly known: ReadonlyMap<string, ReadReport>;
}

export class Life {
  readonly population: Population;
  readonly drive: Drive;
  readonly stakes: Stakes;
  readonly adversaries: Adversaries;
  readonly #submitters: readonly Submitter[];
  /** Peer ids of the nodes to be staked. */
  readonly #stakers: ReadonlySet<string>;

  private constructor(options: LifeOptions, validatorKeys: readonly IdentityKey[]) {
    const { adversaryKeys, devnet, keys, known, mix } = options;
    const { chainId } = devnet;
    const submitter = submitterFor(devnet, keys, mix.direct);
    const hostile = submitterFor(devnet, adversaryKeys, 1);
    this.#submitters = [submitter, hostile];
    this.#stakers = new Set(keys.slice(0, Math.round(mix.staked * keys.length)).map(({ peerId }) => peerId));
    this.population = populationOf(options);
    this.stakes = new Stakes({ chainId, validators: validatorKeys, submit: submitter.relayed });
    this.adversaries = new Adversaries({
      chainId,
      keys: adversaryKeys,
      victims: keys.map(({ peerId }) => peerId),
      random: new Random(Date.now() >>> 0),
      submit: (adversary, { by, event }) =>
        by === 'relay' ? hostile.relayed(adversary, event) : hostile.submit(adversary, event),
    });
    const onAcknowledged = (event: OwnSignedEvent): void => this.#heard(event);
    const lastSeq = lastSeqOf(known);
    this.drive = new Drive({
      population: this.population,
      keys,
      lastSeq,
      chainId,
      submit: submitter.submit,
      onAcknowledged,
    });
    for (const report of known.values()) this.#stake(report);
  }

  /** @throws CodedError of the validators' key files */
  static async begin(options: LifeOptions): Promise<Life> {
    const validators = options.devnet.nodes.filter(({ role }) => role === 'validator');
    const keys = validators.map(({ directory }) =>
      loadIdentityKey({ identityKeyFile: join(directory, 'masa_oracle_key'), identityKeyHex: null }),
    );
    return new Life(options, await Promise.all(keys));
  }

  /** Until the signal aborts; then waits for the population's last answers. */
  async run(stop: AbortSignal): Promise<void> {
    try {
      const { adversaries, drive, stakes } = this;
      await Promise.all([drive.run(stop, ANSWERS_DEADLINE_MS), stakes.run(stop), adversaries.run(stop)]);
    } finally {
      await Promise.all(this.#submitters.map((submitter) => submitter.close()));
    }
  }

  #heard(event: OwnSignedEvent): void {
    this.adversaries.overhear(event, Date.now());
    const { peerId, type } = event.event;
    if (type === 'joined' && this.#stakers.has(peerId)) this.stakes.offer(peerId);
  }

  #stake({ node, peerId }: ReadReport): void {
    if (node?.isStaked === true) this.stakes.alreadyDecided(peerId);
    else if (node !== null && this.#stakers.has(peerId)) this.stakes.offer(peerId);
  }
}

function submitterFor({ chainId, nodes }: Devnet, keys: readonly IdentityKey[], direct: number): Submitter {
  const validators = nodes.filter(({ role }) => role === 'validator').map((node) => () => targetOf(node));
  return new Submitter({ chainId, keys, direct, validators });
}

function targetOf(node: TestnetNode): PeerTarget | undefined {
  const file = readAddressFile(join(node.dataDirectory, 'addresses.json'));
  return file === undefined ? undefined : { peerId: node.peerId, multiaddrs: file.addresses };
}

function populationOf({ devnet, keys, known, mix, speed }: LifeOptions): Population {
  const population = new Population({
    nodes: keys.length,
    mix,
    speed,
    seed: new DataView(sha256(devnet.populationSeed).buffer).getUint32(0),
    livenessWindowSeconds: devnet.genesis.parameters.livenessWindowSeconds,
    relayPeerId: devnet.nodes[0]?.peerId ?? '',
    nowMs: Date.now(),
  });
  for (const [index, { peerId }] of keys.entries()) {
    const record = known.get(peerId)?.node ?? null;
    if (record !== null) population.resume(index, { joined: record.activity !== 1, version: record.version });
  }
  return population;
}

function lastSeqOf(known: ReadonlyMap<string, ReadReport>): ReadonlyMap<string, number> {
  const pairs = [...known].flatMap(([peerId, { lastSeq }]) => (lastSeq === null ? [] : [[peerId, lastSeq] as const]));
  return new Map(pairs);
}
