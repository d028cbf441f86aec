/** The names of LoRAs that Compel's grammar can read. */
export const compelLoraName = /^[A-Za-z0-9_-]+$/;
