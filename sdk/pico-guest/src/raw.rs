// SPDX-License-Identifier: Apache-2.0
//! The imports as they are: the one place with unsafe code. `wit/pico.wit` of `pico-eci` explains them.
#![expect(
    unsafe_code,
    reason = "imports of a WebAssembly module are foreign functions"
)]

mod imports {
    #[link(wasm_import_module = "pico:system")]
    unsafe extern "C" {
        #[link_name = "now-ms"]
        pub(crate) fn system_now_ms() -> i64;
        #[link_name = "unix-ms"]
        pub(crate) fn system_unix_ms() -> i64;
        #[link_name = "sleep-ms"]
        pub(crate) fn system_sleep_ms(ms: u32) -> i32;
        #[link_name = "stopping"]
        pub(crate) fn system_stopping() -> i32;
        #[link_name = "exit"]
        pub(crate) fn system_exit(code: i32);
        #[link_name = "random"]
        pub(crate) fn system_random(ptr: u32, len: u32) -> i32;
    }
    #[link(wasm_import_module = "pico:log")]
    unsafe extern "C" {
        #[link_name = "write"]
        pub(crate) fn log_write(level: u32, ptr: u32, len: u32) -> i32;
    }
    #[link(wasm_import_module = "pico:config")]
    unsafe extern "C" {
        #[link_name = "get"]
        pub(crate) fn config_get(key_ptr: u32, key_len: u32, value_ptr: u32, value_cap: u32)
        -> i32;
    }
    #[link(wasm_import_module = "pico:gpio")]
    unsafe extern "C" {
        #[link_name = "pin"]
        pub(crate) fn gpio_pin(index: u32) -> i32;
        #[link_name = "configure"]
        pub(crate) fn gpio_configure(pin: u32, mode: u32) -> i32;
        #[link_name = "read"]
        pub(crate) fn gpio_read(pin: u32) -> i32;
        #[link_name = "write"]
        pub(crate) fn gpio_write(pin: u32, level: u32) -> i32;
        #[link_name = "watch"]
        pub(crate) fn gpio_watch(pin: u32, edges: u32) -> i32;
        #[link_name = "wait"]
        pub(crate) fn gpio_wait(pin: u32, timeout_ms: i32) -> i32;
    }
    #[link(wasm_import_module = "pico:led")]
    unsafe extern "C" {
        #[link_name = "set"]
        pub(crate) fn led_set(on: u32) -> i32;
    }
    #[link(wasm_import_module = "pico:pwm")]
    unsafe extern "C" {
        #[link_name = "set"]
        pub(crate) fn pwm_set(pin: u32, frequency_hz: u32, duty: u32) -> i32;
    }
    #[link(wasm_import_module = "pico:adc")]
    unsafe extern "C" {
        #[link_name = "read"]
        pub(crate) fn adc_read(channel: u32) -> i32;
    }
    #[link(wasm_import_module = "pico:temperature")]
    unsafe extern "C" {
        #[link_name = "read"]
        pub(crate) fn temperature_read(millicelsius_ptr: u32) -> i32;
    }
    #[link(wasm_import_module = "pico:kv")]
    unsafe extern "C" {
        #[link_name = "get"]
        pub(crate) fn kv_get(key_ptr: u32, key_len: u32, value_ptr: u32, value_cap: u32) -> i32;
        #[link_name = "set"]
        pub(crate) fn kv_set(key_ptr: u32, key_len: u32, value_ptr: u32, value_len: u32) -> i32;
        #[link_name = "delete"]
        pub(crate) fn kv_delete(key_ptr: u32, key_len: u32) -> i32;
    }
    #[link(wasm_import_module = "pico:http")]
    unsafe extern "C" {
        #[link_name = "next"]
        pub(crate) fn http_next(request_ptr: u32, request_cap: u32, timeout_ms: i32) -> i32;
        #[link_name = "respond"]
        pub(crate) fn http_respond(status: u32, body_ptr: u32, body_len: u32) -> i32;
    }
}

macro_rules! calls {
    ($($name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
        $(
            #[inline]
            pub(crate) fn $name($($argument: $type),*) $(-> $result)? {
                // SAFETY: the host checks every pointer against linear memory and writes only where it was told to.
                unsafe { imports::$name($($argument),*) }
            }
        )*
    };
}

calls! {
    system_now_ms() -> i64;
    system_unix_ms() -> i64;
    system_sleep_ms(ms: u32) -> i32;
    system_stopping() -> i32;
    system_exit(code: i32);
    system_random(ptr: u32, len: u32) -> i32;
    log_write(level: u32, ptr: u32, len: u32) -> i32;
    config_get(key_ptr: u32, key_len: u32, value_ptr: u32, value_cap: u32) -> i32;
    gpio_pin(index: u32) -> i32;
    gpio_configure(pin: u32, mode: u32) -> i32;
    gpio_read(pin: u32) -> i32;
    gpio_write(pin: u32, level: u32) -> i32;
    gpio_watch(pin: u32, edges: u32) -> i32;
    gpio_wait(pin: u32, timeout_ms: i32) -> i32;
    led_set(on: u32) -> i32;
    pwm_set(pin: u32, frequency_hz: u32, duty: u32) -> i32;
    adc_read(channel: u32) -> i32;
    temperature_read(millicelsius_ptr: u32) -> i32;
    kv_get(key_ptr: u32, key_len: u32, value_ptr: u32, value_cap: u32) -> i32;
    kv_set(key_ptr: u32, key_len: u32, value_ptr: u32, value_len: u32) -> i32;
    kv_delete(key_ptr: u32, key_len: u32) -> i32;
    http_next(request_ptr: u32, request_cap: u32, timeout_ms: i32) -> i32;
    http_respond(status: u32, body_ptr: u32, body_len: u32) -> i32;
}
