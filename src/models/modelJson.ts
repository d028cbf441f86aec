import { tokenEmbeddingName } from '../clip/weights.ts';
import { excerpt } from '../files/tensorFile.ts';
import { fileTensor, findLayout } from './tensorNames.ts';

const folder = 'open the model.safetensors in its folder text_encoder instead';

/**
 * Completes the sentence about a JSON file that lies beside a model's weights: "is …; open … instead". Null for any other JSON, and
 * for text that is none.
 */
export function describeModelJson(json: string): string | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch {
    return null;
  }
  if (typeof parsed !== 'object' || parsed === null) return null;
  if ('weight_map' in parsed && typeof parsed.weight_map === 'object' && parsed.weight_map !== null)
    return describeIndex(new Map(Object.entries(parsed.weight_map)));
  const isConfig = ['_class_name', '_diffusers_version', 'architectures', 'model_type'].some((key) => key in parsed);
  return isConfig ? `is the configuration of a model, not its weights; ${folder}` : null;
}

/** Describes the index of a model in several files: names of tensors, and the file that each is in. */
function describeIndex(files: ReadonlyMap<string, unknown>): string {
  const index = `is the index of a model in ${new Set(files.values()).size} files`;
  const layout = findLayout(new Map([...files.keys()].map((name) => [name, { shape: [] }])));
  if (!layout) return `${index}, which names no tensor as a CLIP text encoder's are; ${folder}`;
  const own = new Set([...files].flatMap(([name, file]) => (name.startsWith(layout.prefix) ? [String(file)] : [])));
  const first = files.get(fileTensor(tokenEmbeddingName, layout).name) ?? [...own][0];
  return own.size === 1
    ? `${index}; open ${excerpt(first)}, which has the text encoder`
    : `${index}, and its text encoder is in ${own.size} of them, which cannot be opened together; open a checkpoint in one file instead`;
}
