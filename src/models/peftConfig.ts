/** Settings of a text encoder's LoRA that PEFT keeps beside its matrices. */
export interface PeftConfig {
  /** alpha / r of a module of this rank, alpha / √r where it is rank-stabilised; null if the file does not say. */
  scale(module: string, rank: number): number | null;
}

/** Diffusers keeps the settings of all parts of a pipeline in one object. */
const ownPrefix = 'text_encoder.';

/**
 * Reads the settings that Diffusers writes into a file's metadata (`lora_adapter_metadata`, JSON), as its
 * `_load_lora_into_text_encoder` hands them to PEFT. Null if there are none that can be read.
 */
export function peftConfig(metadata: ReadonlyMap<string, string>): PeftConfig | null {
  const settings = parsed(metadata.get('lora_adapter_metadata'));
  if (!settings) return null;
  const hasPrefix = Object.keys(settings).some((key) => key.startsWith(ownPrefix));
  const setting = (name: string) => settings[hasPrefix ? ownPrefix + name : name];
  const alpha = setting('lora_alpha');
  const patterns = setting('alpha_pattern');
  const isStabilised = setting('use_rslora') === true;
  return {
    scale(module, rank) {
      const own = isObject(patterns) ? Object.entries(patterns).find(([key]) => isNamed(module, key))?.[1] : undefined;
      const used = own ?? alpha;
      if (typeof used !== 'number' || !Number.isFinite(used)) return null;
      return used / (isStabilised ? Math.sqrt(rank) : rank);
    },
  };
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

function parsed(text: string | undefined): Record<string, unknown> | null {
  if (text === undefined) return null;
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

/**
 * Whether a key of a pattern means this module. PEFT takes the key as a regular expression for the end of the name; Diffusers
 * writes names, which are all that is understood here. transformers 5 has them without `text_model`.
 */
function isNamed(module: string, key: string): boolean {
  const name = key.replace(/^\^|\$$/g, '').replaceAll('\\', '');
  return [module, module.replace(/^text_model\./, '')].some((own) => own === name || own.endsWith(`.${name}`));
}
