/** Names that A1111 never takes for an alias. */
const reserved = ['none'];

/**
 * Finds the LoRA that a prompt calls `name`, by the rule of A1111's Lora extension: by its file's name, or by the alias in the
 * file (`ss_output_name`), of which the last file with it counts; an alias that is a name of more than one file counts for
 * none, and those are called by their files' names alone. `loras` goes by files' names without their endings.
 */
export function loraNamed<T>(
  loras: ReadonlyMap<string, T>,
  aliasOf: (lora: T) => string | undefined,
  name: string,
): T | undefined {
  const named = new Map<string, T>();
  const ambiguous = new Set(reserved);
  for (const [fileName, lora] of loras) {
    const alias = aliasOf(lora) ?? fileName;
    if (named.has(alias)) ambiguous.add(alias.toLowerCase());
    named.set(fileName, lora);
    named.set(alias, lora);
  }
  return ambiguous.has(name.toLowerCase()) ? loras.get(name) : named.get(name);
}
