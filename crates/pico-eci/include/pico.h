// SPDX-License-Identifier: Apache-2.0
// The host interface of embedded container images for guests in C; wit/pico.wit explains it.
//
//   clang --target=wasm32 -mcpu=mvp -Os -nostdlib -Wl,--no-entry -Wl,--export=run -Wl,-z,stack-size=1024 -Wl,--stack-first \
//     -Wl,--page-size=1 -o led.wasm led.c
//
// Without the last three options of the linker a module starts with 64 KiB of memory and more, which few pods have.
#ifndef PICO_H
#define PICO_H

#include <stdint.h>

#define PICO_DENIED (-1)
#define PICO_NOT_FOUND (-2)
#define PICO_INVALID (-3)
#define PICO_NO_SPACE (-4)
#define PICO_FAILED (-5)
#define PICO_INTERRUPTED (-6)
#define PICO_TIMED_OUT (-7)

// Levels of pico_log_write.
#define PICO_LOG_DEBUG 0
#define PICO_LOG_INFO 1
#define PICO_LOG_WARNING 2
#define PICO_LOG_ERROR 3

// Modes of pico_gpio_configure.
#define PICO_GPIO_DISABLED 0
#define PICO_GPIO_INPUT 1
#define PICO_GPIO_PULL_UP 2
#define PICO_GPIO_PULL_DOWN 3
#define PICO_GPIO_OUTPUT_LOW 4
#define PICO_GPIO_OUTPUT_HIGH 5

// Edges of pico_gpio_watch and pico_gpio_wait, as bits.
#define PICO_EDGE_RISING 1
#define PICO_EDGE_FALLING 2

#ifdef __cplusplus
extern "C" {
#endif

#define PICO_IMPORT(module, name) __attribute__((import_module(module), import_name(name)))

PICO_IMPORT("pico:system", "now-ms") int64_t pico_system_now_ms(void);
PICO_IMPORT("pico:system", "unix-ms") int64_t pico_system_unix_ms(void);
PICO_IMPORT("pico:system", "sleep-ms") int32_t pico_system_sleep_ms(uint32_t ms);
PICO_IMPORT("pico:system", "stopping") int32_t pico_system_stopping(void);
PICO_IMPORT("pico:system", "exit") void pico_system_exit(int32_t code);
PICO_IMPORT("pico:system", "random") int32_t pico_system_random(uint32_t ptr, uint32_t len);
PICO_IMPORT("pico:log", "write") int32_t pico_log_write(uint32_t level, uint32_t ptr, uint32_t len);
PICO_IMPORT("pico:config", "get") int32_t pico_config_get(uint32_t key_ptr, uint32_t key_len, uint32_t value_ptr, uint32_t value_cap);
PICO_IMPORT("pico:gpio", "pin") int32_t pico_gpio_pin(uint32_t index);
PICO_IMPORT("pico:gpio", "configure") int32_t pico_gpio_configure(uint32_t pin, uint32_t mode);
PICO_IMPORT("pico:gpio", "read") int32_t pico_gpio_read(uint32_t pin);
PICO_IMPORT("pico:gpio", "write") int32_t pico_gpio_write(uint32_t pin, uint32_t level);
PICO_IMPORT("pico:gpio", "watch") int32_t pico_gpio_watch(uint32_t pin, uint32_t edges);
PICO_IMPORT("pico:gpio", "wait") int32_t pico_gpio_wait(uint32_t pin, int32_t timeout_ms);
PICO_IMPORT("pico:led", "set") int32_t pico_led_set(uint32_t on);
PICO_IMPORT("pico:pwm", "set") int32_t pico_pwm_set(uint32_t pin, uint32_t frequency_hz, uint32_t duty);
PICO_IMPORT("pico:adc", "read") int32_t pico_adc_read(uint32_t channel);
PICO_IMPORT("pico:temperature", "read") int32_t pico_temperature_read(uint32_t millicelsius_ptr);
PICO_IMPORT("pico:kv", "get") int32_t pico_kv_get(uint32_t key_ptr, uint32_t key_len, uint32_t value_ptr, uint32_t value_cap);
PICO_IMPORT("pico:kv", "set") int32_t pico_kv_set(uint32_t key_ptr, uint32_t key_len, uint32_t value_ptr, uint32_t value_len);
PICO_IMPORT("pico:kv", "delete") int32_t pico_kv_delete(uint32_t key_ptr, uint32_t key_len);
PICO_IMPORT("pico:http", "next") int32_t pico_http_next(uint32_t request_ptr, uint32_t request_cap, int32_t timeout_ms);
PICO_IMPORT("pico:http", "respond") int32_t pico_http_respond(uint32_t status, uint32_t body_ptr, uint32_t body_len);

#ifdef __cplusplus
}
#endif

#endif
