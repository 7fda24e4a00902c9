# Four modules, each with its own image or none. One is written after the other: a board has one transfer at a time.

terraform {
  required_providers {
    turingpi = {
      source  = "k1s-dev/turingpi"
      version = ">= 2.0.0"
    }
  }
}

provider "turingpi" {}

variable "images" {
  description = "Images by slot, plain or .xz, with the SHA-256 that each must have."
  type = map(object({
    file   = string
    sha256 = optional(string)
  }))
}

resource "turingpi_flash" "module" {
  for_each = var.images

  node               = tonumber(each.key)
  firmware_file      = each.value.file
  sha256             = each.value.sha256
  boot_check_pattern = "login:"
  boot_check_timeout = 300

  timeouts {
    create = "45m"
  }
}

# what another module holds is power alone
resource "turingpi_power" "other" {
  for_each = setsubtract(["1", "2", "3", "4"], keys(var.images))

  node  = tonumber(each.key)
  state = "off"
}

output "written" {
  value = { for slot, module in turingpi_flash.module : slot => module.firmware_sha256 }
}
