import { unchangedText } from '../models/leftOut.ts';
import { loraNamed } from '../models/loraAliases.ts';
import type { LoraEffect } from '../models/loraFile.ts';
import type { NetworkNode } from '../prompt/ast.ts';
import type { Side } from '../prompt/side.ts';
import type { Facts, OpenedLora } from './facts.ts';
import { messageOf } from './notices.ts';
import type { Page } from './page.ts';

export interface LoraActions {
  /**
   * Reads a LoRA for the model in use, in place of one with the same name; what can go wrong ends as a notice. `adapterConfig` is
   * the text of PEFT's settings of it.
   */
  addLora(file: File, adapterConfig?: string): Promise<void>;
  removeLora(name: string): void;
}

const loraName = (file: File) => file.name.replace(/\.[^.]*$/, '');

/** Opens and removes LoRAs, and reads them anew for another model. */
export function loraActions({ client, get, set, notify }: Page): LoraActions & { readLoras(): void } {
  function put(name: string, lora: OpenedLora | null) {
    const loras = new Map(get().loras);
    if (lora) loras.set(name, lora);
    else loras.delete(name);
    set({ loras });
  }

  async function read(
    name: string,
    { file, adapterConfig }: Pick<OpenedLora, 'file' | 'adapterConfig'>,
    failed: (message: string) => void,
  ) {
    const { model } = get();
    if (!model) return;
    const isCurrent = () => get().model === model && get().loras.get(name)?.file === file;
    try {
      const info = await client.addLora(file, adapterConfig);
      if (isCurrent()) put(name, { file, adapterConfig, info, problem: null });
      else client.removeLora(info.lora);
    } catch (error) {
      if (isCurrent()) failed(messageOf(error));
    }
  }

  return {
    async addLora(file, adapterConfig) {
      const name = loraName(file);
      const before = get().loras.get(name) ?? null;
      put(name, { file, adapterConfig, info: null, problem: null });
      await read(name, { file, adapterConfig }, (message) => {
        put(name, before?.info ? before : null);
        notify(message);
      });
      // The one before is still in use where the new one could not be read.
      const inUse = new Set([...get().loras.values()].map(({ info }) => info?.lora));
      if (before?.info && !inUse.has(before.info.lora)) client.removeLora(before.info.lora);
    },
    removeLora(name) {
      const info = get().loras.get(name)?.info;
      put(name, null);
      if (info) client.removeLora(info.lora);
    },
    /** Reads the LoRAs that are open for a model that was loaded just now. */
    readLoras() {
      const unread = [...get().loras].map(
        ([name, { file, adapterConfig }]) => [name, { file, adapterConfig, info: null, problem: null }] as const,
      );
      if (unread.length > 0) set({ loras: new Map(unread) });
      for (const [name, lora] of unread) void read(name, lora, (problem) => put(name, { ...lora, problem }));
    },
  };
}

/** How far a LoRA moves one layer. */
export interface LayerEffect {
  /** Index of the layer, from 0. */
  readonly layer: number;
  /** ‖ΔW‖/‖W‖ over the weights that it changes there; 0 where there are none. */
  readonly relative: number;
  readonly weights: readonly LoraEffect[];
}

/** Sums up the effects on each layer, [layers]. */
export function layerEffects(effects: readonly LoraEffect[], layers: number): LayerEffect[] {
  const norm = (values: readonly number[]) => Math.hypot(...values);
  return Array.from({ length: layers }, (_, layer) => {
    const weights = effects.filter(({ target }) => target.includes(`.layers.${layer}.`));
    const delta = norm(weights.map(({ delta }) => delta));
    return { layer, weights, relative: delta === 0 ? 0 : delta / norm(weights.map(({ weight }) => weight)) };
  });
}

/** Finds the open LoRA that a prompt calls `name`, by its file's name or its alias. */
export function openedLora(loras: Facts['loras'], name: string): OpenedLora | undefined {
  return loraNamed(loras, ({ info }) => info?.alias, name);
}

/** Says in few words what becomes of a network that a prompt names. `usage` has the LoRAs that are merged, by their files' names. */
export function networkState(
  { kind, name }: NetworkNode,
  side: Side,
  loras: Facts['loras'],
  usage: ReadonlyMap<string, readonly number[]>,
): string {
  if (kind !== 'lora' && kind !== 'lyco') return 'not loaded';
  if (side === 'negative') return 'not used: LoRAs are taken from the prompt, for both';
  const lora = openedLora(loras, name);
  if (!lora) return 'not loaded: open its file';
  if (lora.problem) return 'cannot be used with this model';
  if (!lora.info) return 'being read';
  if (lora.info.effects.length === 0) return unchangedText(lora.info.leftOut);
  return [...usage.keys()].some((file) => loras.get(file) === lora) ? 'merged' : 'not merged';
}
